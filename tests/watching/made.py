"""One small problem, and a network for it in every library: what a program of its own would train."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

SIZES = (6, 8, 5, 3)


class Data(NamedTuple):
    images: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Made(NamedTuple):
    """A network at its start, what `Watch` is told of it, another one of its kind, and how it answers."""

    model: Any
    network: Any
    changed: Any
    answers: Any


def data():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(3, SIZES[0]))
    true = np.tile(np.arange(3), 16)
    images = (centers[true] + 0.3 * rng.normal(size=(48, SIZES[0]))).astype(np.float32)
    labels = true.copy()
    labels[:18] = np.roll(true[:18], 1)
    test = np.tile(np.arange(3), 5)
    test_images = (centers[test] + 0.3 * rng.normal(size=(15, SIZES[0]))).astype(np.float32)
    return Data(images, labels, true, test_images, test)


def function():
    def init(seed):
        keys = jax.random.split(jax.random.key(seed), 3)
        shapes = itertools.pairwise(SIZES)
        return {f"layer{n}": {"kernel": jax.random.normal(keys[n], shape)} for n, shape in enumerate(shapes)}

    def apply(params, x):
        shown = {}
        for name in ("layer0", "layer1"):
            shown[name] = x = jax.nn.relu(x @ params[name]["kernel"])
        # A name that comes first in the alphabet: the order is that of the network.
        return {**shown, "answers": x @ params["layer2"]["kernel"]}

    return Made(init(0), apply, init(1), lambda params, x: apply(params, x)["answers"])


def linen():
    import flax.linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train=True):
            x = nn.relu(nn.BatchNorm(use_running_average=not train, name="norm")(nn.Dense(SIZES[1], name="first")(x)))
            x = nn.relu(nn.Dense(SIZES[2], name="second")(x))
            return nn.Dense(SIZES[3], name="third")(x)

    net = Net()
    made = [net.init(jax.random.key(seed), jnp.ones((1, SIZES[0])), train=False) for seed in (0, 1)]
    return Made(made[0], net, made[1], lambda variables, x: net.apply(variables, x, train=False))


def nnx():
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, seed):
            rngs = nnx.Rngs(seed)
            self.first, self.norm = nnx.Linear(*SIZES[:2], rngs=rngs), nnx.BatchNorm(SIZES[1], rngs=rngs)
            self.drop = nnx.Dropout(0.5, rngs=rngs)
            self.second, self.third = nnx.Linear(*SIZES[1:3], rngs=rngs), nnx.Linear(*SIZES[2:], rngs=rngs)

        def __call__(self, x):
            x = self.drop(nnx.relu(self.norm(self.first(x))))
            return self.third(nnx.relu(self.second(x)))

    def answers(net, x):
        net.eval()
        return net(x)

    return Made(Net(0), None, Net(1), answers)


def equinox():
    eqx = pytest.importorskip("equinox")

    def net(seed):
        keys = jax.random.split(jax.random.key(seed), 3)
        first, second, third = (
            eqx.nn.Linear(*pair, key=key) for pair, key in zip(itertools.pairwise(SIZES), keys, strict=True)
        )
        relu = eqx.nn.Lambda(jax.nn.relu)
        return eqx.nn.Sequential([first, relu, second, relu, third])

    return Made(net(0), None, net(1), lambda model, x: jax.vmap(model)(x))


def haiku():
    hk = pytest.importorskip("haiku")
    net = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP(SIZES[1:])(x)))
    made = [net.init(jax.random.key(seed), jnp.ones((1, SIZES[0]))) for seed in (0, 1)]
    return Made(made[0], net, made[1], net.apply)


def torch():
    torch = pytest.importorskip("torch")

    def net(seed):
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(*SIZES[:2]), torch.nn.BatchNorm1d(SIZES[1]), torch.nn.ReLU()]
        return torch.nn.Sequential(*layers, torch.nn.Linear(*SIZES[1:3]), torch.nn.ReLU(), torch.nn.Linear(*SIZES[2:]))

    def answers(model, x):
        with torch.no_grad():
            return model.eval()(torch.from_numpy(x)).numpy()

    return Made(net(0), None, net(1), answers)


LIBRARIES = {made.__name__: made for made in (function, linen, nnx, equinox, haiku, torch)}
