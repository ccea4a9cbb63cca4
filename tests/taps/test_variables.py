import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import taps
from tests.taps.fill import fill
from tests.taps.shared import case


def network_of(library):
    if library in ("equinox", "haiku"):
        pytest.importorskip(library)
    return case(library, "resnet").network


# Library -> (a block, the name of its kernel, a leaf of the state).
EXPECTED = {
    "linen": ("block_1", "conv", "kernel", ("norm", "batch_stats/mean")),
    "nnx": ("blocks/1", "conv", "kernel", ("norm", "mean")),
    "equinox": ("blocks/1", "conv", "weight", ("norm", "batch_state_index/0")),
    "haiku": ("block_1", "conv", "w", ("norm/~/mean_ema", "average")),
}


def same(first, second):
    plain = lambda leaf: jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    keep = lambda tree: [plain(leaf) for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for one, other in zip(keep(first), keep(second), strict=True):
        assert one.dtype == other.dtype
        assert getattr(one, "weak_type", False) == getattr(other, "weak_type", False)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("library", EXPECTED)
def test_taken_apart_and_put_together_it_is_the_same(library):
    network = network_of(library)
    parts = taps.split(network)
    block, conv, kernel, (norm, statistic) = EXPECTED[library]
    assert parts["params"][f"{block}/{conv}"][kernel].ndim == 4
    assert parts["state"][f"{block}/{norm}"][statistic].size == 3
    on_host = jax.tree.map(np.asarray, parts)
    same(taps.merge(network, parts), network)
    same(taps.merge(network, on_host), network)


@pytest.mark.parametrize("library", EXPECTED)
def test_one_layer_is_put_in_by_its_name(library):
    network = network_of(library)
    before = taps.split(network)
    block, conv, kernel, _ = EXPECTED[library]
    layer = f"{block}/{conv}"
    other = {name: value + 1 for name, value in before["params"][layer].items()}
    after = taps.split(taps.merge(network, {"params": {layer: other}}))
    np.testing.assert_array_equal(after["params"][layer][kernel], before["params"][layer][kernel] + 1)
    for kind, modules in before.items():
        for module, own in modules.items():
            for name in own:
                if (kind, module) != ("params", layer):
                    np.testing.assert_array_equal(after[kind][module][name], own[name])
    # The template is what it was.
    np.testing.assert_array_equal(taps.split(network)["params"][layer][kernel], before["params"][layer][kernel])


def test_what_does_not_fit_is_refused_in_a_line():
    variables = network_of("linen")
    with pytest.raises(ValueError, match=r"^expected params .*, got block_7/conv/kernel; it has block_\d/conv/kernel"):
        taps.merge(variables, {"params": {"block_7/conv": {"kernel": np.zeros(1)}}})
    with pytest.raises(ValueError, match="expected parts of a network, params and state, got 'parms'"):
        taps.merge(variables, {"parms": {}})
    with pytest.raises(ValueError, match=r"^expected head/bias as float32 \[2\], got float64 \[2\]$"):
        taps.merge(variables, {"params": {"head": {"bias": np.zeros(2)}}})
    with pytest.raises(ValueError, match=r"got ResNet of flax.linen; its variables"):
        taps.split(importlib.import_module("tests.taps.linen_networks").ResNet())
    with pytest.raises(ValueError, match=r"^expected arrays in variables and params, got str as a/b$"):
        taps.split({"a": {"b": "text"}})


def test_params_alone_and_parameters_of_no_module():
    params = {"scale": jnp.ones(2, jnp.bfloat16), "layer": {"kernel": jnp.ones((2, 2))}}
    parts = taps.split(params)
    assert set(parts["params"]) == {"~", "layer"}
    assert parts["state"] == {}
    same(taps.merge(jax.eval_shape(lambda: params), parts)["scale"], params["scale"])


def test_random_keys_of_nnx_come_back_as_keys():
    network = network_of("nnx")
    parts = jax.tree.map(np.asarray, taps.split(network))
    merged = taps.merge(network, parts)
    assert merged.dropout.rngs.key.get_value().dtype == network.dropout.rngs.key.get_value().dtype


def test_the_first_state_of_an_equinox_module_is_state():
    pytest.importorskip("equinox")
    import equinox as eqx

    from tests.taps.equinox_networks import ResNet

    network = fill(eqx.filter_eval_shape(ResNet))
    assert "ema_state_index" not in str(taps.split(network)["params"])
    assert taps.split(network)["state"]["blocks/0/norm"]["batch_state_index/init/0"].shape == (3,)
    same(taps.merge(network, taps.split(network)), network)
