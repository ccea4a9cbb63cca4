"""One look at the taps of all libraries: a network, what runs it, and its layers written out by hand."""

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import taps

RNG = np.random.default_rng(3)
VECTORS = jnp.asarray(RNG.normal(size=(6, 5)), jnp.float32)
MAPS = jnp.asarray(RNG.normal(size=(6, 4, 4, 3)), jnp.float32)
relu = jax.nn.relu


class Case(NamedTuple):
    tap: Callable  # layers -> a tap
    network: Any  # what the tap is given
    forward: Callable  # (network, inputs) -> what it returns, as its library runs it
    inputs: jax.Array
    by_hand: Callable  # () -> name -> activations
    auto: tuple


@functools.cache
def case(library, network):
    if library in ("equinox", "haiku"):
        pytest.importorskip(library)
    return BUILDERS[library, network]()


def _networks(library):
    return importlib.import_module(f"tests.taps.{library}_networks")


def _mlp_by_hand(names, weights):
    """names: of the three layers; weights: (kernel, bias) of each."""
    found, x = {}, VECTORS
    for index, (name, (kernel, bias)) in enumerate(zip(names, weights, strict=True)):
        found[f"{name}.input"] = x
        found[name] = x @ kernel + bias
        x = relu(found[name]) if index < 2 else found[name]
    return {**found, "output": x}


def _linen_mlp():
    model, variables = _networks("linen").mlp()
    names = ["Dense_0", "Dense_1", "Dense_2"]
    weights = [(own["kernel"], own["bias"]) for name in names for own in [variables["params"][name]]]
    auto = ("Dense_1.input", "Dense_2.input", "output")
    tap = lambda layers: taps.linen(model, layers)
    return Case(tap, variables, model.apply, VECTORS, lambda: _mlp_by_hand(names, weights), auto)


def _nnx_mlp():
    model = _networks("nnx").mlp()
    names, layers = ["layers/0", "layers/1", "head"], [*model.layers, model.head]
    weights = [(layer.kernel.get_value(), layer.bias.get_value()) for layer in layers]
    auto = ("layers/1.input", "head.input", "output")
    return Case(taps.nnx, model, lambda model, x: model(x), VECTORS, lambda: _mlp_by_hand(names, weights), auto)


def _haiku_mlp():
    model, params = _networks("haiku").mlp()
    names = [f"mlp/~/linear_{index}" for index in range(3)]
    weights = [(params[name]["w"], params[name]["b"]) for name in names]
    auto = ("mlp/~/linear_1.input", "mlp/~/linear_2.input", "output")

    def by_hand():
        # The network is a function that calls one module.
        found = {"mlp.input": VECTORS, **_mlp_by_hand(names, weights)}
        output = found.pop("output")
        return {**found, "mlp": output, "output": output}

    tap = lambda layers: taps.haiku(model, layers)
    return Case(tap, params, lambda params, x: model.apply(params, None, x), VECTORS, by_hand, auto)


def _equinox_mlp():
    model = _networks("equinox").mlp()

    def by_hand():
        found, x = {}, VECTORS
        for index, layer in enumerate(model.layers):
            found[f"layers/{index}.input"] = x
            x = found[f"layers/{index}"] = jax.vmap(layer)(x)
        return {**found, "output": x}

    auto = ("layers/1", "layers/3", "output")
    forward = lambda model, x: jax.vmap(model)(x)
    return Case(taps.equinox, model, forward, VECTORS, by_hand, auto)


def _resnet_by_hand(x, stem, blocks, pool, head, names):
    """stem, head: functions; blocks: (conv, norm) of each; names: of stem, blocks, head."""
    found = {f"{names[0]}.input": x, names[0]: stem(x)}
    x = relu(found[names[0]])
    for name, (conv, norm) in zip(names[1:-1], blocks, strict=True):
        found[f"{name}.input"] = found[f"{name}/conv.input"] = x
        found[f"{name}/conv"] = found[f"{name}/norm.input"] = conv(x)
        found[f"{name}/norm"] = norm(found[f"{name}/conv"])
        found[f"{name}/conv#2.input"] = relu(found[f"{name}/norm"])
        found[f"{name}/conv#2"] = conv(found[f"{name}/conv#2.input"])
        x = found[name] = relu(x + found[f"{name}/conv#2"])
    found[f"{names[-1]}.input"] = pool(x)
    found[names[-1]] = found["output"] = head(pool(x))
    return found


def _with_others(found, sown, dropout):
    """Puts what is sown, and dropout without effect, before the head."""
    others = {sown: found["head.input"], f"{dropout}.input": found["head.input"], dropout: found["head.input"]}
    place = list(found).index("head.input")
    items = list(found.items())
    return dict([*items[:place], *others.items(), *items[place:]])


NAMES = ["stem", "block_0", "block_1", "head"]
LISTED = ["stem", "blocks/0", "blocks/1", "head"]
pool = lambda x: x.mean((1, 2))


def _linen_resnet():
    import flax.linen as nn

    model, variables = _networks("linen").resnet()
    params, stats = variables["params"], variables["batch_stats"]
    run = lambda layer, own: lambda x: layer.apply({"params": own}, x)
    conv = lambda own, bias=False: run(nn.Conv(3, (3, 3), use_bias=bias), own)

    def norm(name):
        own = {"params": params[name]["norm"], "batch_stats": stats[name]["norm"]}
        return lambda x: nn.BatchNorm(use_running_average=True).apply(own, x)

    blocks = [(conv(params[name]["conv"]), norm(name)) for name in NAMES[1:3]]
    head = run(nn.Dense(2), params["head"])
    found = lambda: _resnet_by_hand(MAPS, conv(params["stem"], True), blocks, pool, head, NAMES)
    by_hand = lambda: _with_others(found(), "map_mean", "Dropout_0")
    auto = ("block_0.input", "block_0", "block_1", "map_mean", "Dropout_0", "output")
    tap = lambda layers: taps.linen(model, layers, train=False)
    forward = lambda variables, x: model.apply(variables, x, train=False)
    return Case(tap, variables, forward, MAPS, by_hand, auto)


def _nnx_resnet():
    from flax import nnx

    model = _networks("nnx").resnet()
    ready = nnx.view(model, use_running_average=True, deterministic=True)
    blocks = [(block.conv, block.norm) for block in ready.blocks]
    found = lambda: _resnet_by_hand(MAPS, ready.stem, blocks, pool, ready.head, LISTED)
    by_hand = lambda: _with_others(found(), "map_mean", "dropout")
    auto = ("blocks/0.input", "blocks/0", "blocks/1", "map_mean", "dropout", "output")

    def forward(model, x):
        view = nnx.view(model, use_running_average=True, deterministic=True)
        return nnx.capture(view, nnx.Intermediate)(x)[0]

    return Case(taps.nnx, model, forward, MAPS, by_hand, auto)


def _equinox_resnet():
    import equinox as eqx

    model, state = _networks("equinox").resnet()
    ready = eqx.nn.inference_mode(model)
    norm = lambda layer: lambda x: jax.vmap(lambda one: layer(one, state)[0])(x)
    blocks = [(jax.vmap(block.conv), norm(block.norm)) for block in ready.blocks]
    maps = jnp.moveaxis(MAPS, -1, 1)
    pool = jax.vmap(lambda x: x.mean((1, 2)))
    by_hand = lambda: _resnet_by_hand(maps, jax.vmap(ready.stem), blocks, pool, jax.vmap(ready.head), LISTED)
    auto = ("blocks/0.input", "blocks/0", "blocks/1", "head.input", "output")

    def forward(network, x):
        return jax.vmap(lambda one: eqx.nn.inference_mode(network[0])(one, network[1])[0])(x)

    return Case(taps.equinox, (model, state), forward, maps, by_hand, auto)


def _haiku_resnet():
    import haiku as hk

    model, params, state = _networks("haiku").resnet()

    def run(build, name):
        """One module with the arrays that it has in the network."""
        within = f"{name.rpartition('/')[0]}/".removeprefix("/")
        own = lambda of: {key.removeprefix(within): value for key, value in of.items() if key.startswith(name)}
        apply = hk.transform_with_state(build).apply
        return lambda x: apply(own(params), own(state), None, x)[0]

    conv = lambda name, bias=False: run(lambda x: hk.Conv2D(3, 3, with_bias=bias, name=name.split("/")[-1])(x), name)
    norm = lambda name: run(lambda x: hk.BatchNorm(True, True, 0.9, name="norm")(x, False), name)
    blocks = [(conv(f"{name}/conv"), norm(f"{name}/norm")) for name in NAMES[1:3]]
    head = run(lambda x: hk.Linear(2, name="head")(x), "head")
    by_hand = lambda: _resnet_by_hand(MAPS, conv("stem", True), blocks, pool, head, NAMES)
    auto = ("block_0.input", "block_0", "block_1", "head.input", "output")
    tap = lambda layers: taps.haiku(model, layers, train=False)
    forward = lambda network, x: model.apply(*network, None, x, train=False)[0]
    return Case(tap, (params, state), forward, MAPS, by_hand, auto)


BUILDERS = {
    ("linen", "mlp"): _linen_mlp,
    ("nnx", "mlp"): _nnx_mlp,
    ("equinox", "mlp"): _equinox_mlp,
    ("haiku", "mlp"): _haiku_mlp,
    ("linen", "resnet"): _linen_resnet,
    ("nnx", "resnet"): _nnx_resnet,
    ("equinox", "resnet"): _equinox_resnet,
    ("haiku", "resnet"): _haiku_resnet,
}
