"""Networks of other libraries with BatchNorm, under names of their own, and what each policy makes of them by hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

SIZES = (6, 8, 3)


class Normed(NamedTuple):
    """Two networks of a kind, and the second with parts of the first put in by means of its own library.

    Attributes:
      network: what `Watch` is told of it.
      layer: name of the layer that is put back: a dense layer and its BatchNorm.
      mixed: (dense layer, scale and offset, running statistics), which of them are of the first -> the network.
    """

    early: Any
    final: Any
    network: Any
    layer: str
    mixed: Callable[[bool, bool, bool], Any]


def _changed(tree, seed):
    """Random values in place of a network's, positive as variances are."""
    leaves, treedef = jax.tree.flatten(tree)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    isn = lambda leaf: not jnp.issubdtype(leaf.dtype, jnp.floating)
    new = [
        leaf if isn(leaf) else jax.random.uniform(key, leaf.shape, leaf.dtype, 0.2, 2.0)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(treedef, new)


def linen(affine=True):
    import flax.linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train=True):
            x = nn.Dense(SIZES[1])(x)
            x = nn.BatchNorm(use_running_average=not train, use_scale=affine, use_bias=affine)(x)
            return nn.Dense(SIZES[2])(nn.tanh(x))

    start = Net().init(jax.random.key(0), jnp.ones((1, SIZES[0])), train=False)
    early, final = (_changed(start, seed) for seed in (1, 2))

    def mixed(dense, scale, statistics):
        of = lambda is_early: early if is_early else final
        params = {**final["params"], "Dense_0": of(dense)["params"]["Dense_0"]}
        if affine:
            params["BatchNorm_0"] = of(scale)["params"]["BatchNorm_0"]
        return {"params": params, "batch_stats": of(statistics)["batch_stats"]}

    return Normed(early, final, Net(), "BatchNorm_0", mixed)


def linen_without_scale():
    return linen(affine=False)


def nnx():
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first, self.usual = nnx.Linear(*SIZES[:2], rngs=rngs), nnx.BatchNorm(SIZES[1], rngs=rngs)
            self.drop, self.last = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(*SIZES[1:], rngs=rngs)

        def __call__(self, x):
            return self.last(self.drop(jnp.tanh(self.usual(self.first(x)))))

    def filled(seed):
        net = Net()
        for kind in (nnx.Param, nnx.BatchStat):
            nnx.update(net, _changed(nnx.state(net, kind), seed))
        return net

    def mixed(dense, scale, statistics):
        net, early = filled(2), filled(1)
        parts = [("first", name, dense) for name in ("kernel", "bias")]
        parts += [("usual", name, scale) for name in ("scale", "bias")]
        parts += [("usual", name, statistics) for name in ("mean", "var")]
        for module, name, is_early in parts:
            if is_early:
                getattr(getattr(net, module), name)[...] = getattr(getattr(early, module), name)[...]
        return net

    return Normed(filled(1), filled(2), None, "usual", mixed)


def haiku():
    hk = pytest.importorskip("haiku")

    def forward(x, is_training=False):
        x = hk.BatchNorm(True, True, 0.9, name="usual")(hk.Linear(SIZES[1], name="first")(x), is_training)
        return hk.Linear(SIZES[2], name="last")(jnp.tanh(x))

    net = hk.without_apply_rng(hk.transform_with_state(forward))
    start = net.init(jax.random.key(0), jnp.ones((1, SIZES[0])), is_training=True)
    early, final = (_changed(start, seed) for seed in (1, 2))

    def mixed(dense, scale, statistics):
        of = lambda is_early: early if is_early else final
        params = {**final[0], "first": of(dense)[0]["first"], "usual": of(scale)[0]["usual"]}
        return params, of(statistics)[1]

    return Normed(early, final, net, "usual", mixed)


def torch():
    torch = pytest.importorskip("torch")

    def filled(seed):
        net = torch.nn.Sequential(
            torch.nn.Linear(*SIZES[:2]), torch.nn.BatchNorm1d(SIZES[1]), torch.nn.Tanh(), torch.nn.Linear(*SIZES[1:])
        )
        torch.manual_seed(seed)
        values = {name: torch.rand_like(value) + 0.2 for name, value in net.state_dict().items() if value.ndim}
        net.load_state_dict(values, strict=False)
        return net

    def mixed(dense, scale, statistics):
        chosen = {"0.weight": dense, "0.bias": dense, "1.weight": scale, "1.bias": scale}
        chosen |= {"1.running_mean": statistics, "1.running_var": statistics}
        net, early = filled(2), filled(1).state_dict()
        net.load_state_dict({name: early[name] for name, is_early in chosen.items() if is_early}, strict=False)
        return net

    return Normed(filled(1), filled(2), None, "1", mixed)


LIBRARIES = {made.__name__: made for made in (linen, linen_without_scale, nnx, haiku, torch)}
