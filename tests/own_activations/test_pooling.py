"""Tokens and map positions become one vector for each example."""

import numpy as np
import pytest

from memorize_jax.channels import ChannelsFirst
from memorize_jax.own_activations.accumulator import GeometryAccumulator
from memorize_jax.own_activations.pooling import pool_units, pools_of, read_tokens
from memorize_jax.own_activations.prepare import prepare

RNG = np.random.default_rng(0)
# Examples x tokens x features, and maps with channels last.
TOKENS, MAPS = RNG.normal(size=(6, 4, 3)), RNG.normal(size=(6, 2, 5, 3)).astype(np.float32)
LABELS = np.arange(6) % 2
# Padding behind, in front, and nowhere.
REAL = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]] * 2)


def test_pools_take_what_their_names_say():
    np.testing.assert_array_equal(pool_units(TOKENS, "flatten", "a"), TOKENS.reshape(6, 12))
    np.testing.assert_allclose(pool_units(TOKENS, "mean", "a"), TOKENS.mean(axis=1))
    np.testing.assert_array_equal(pool_units(TOKENS, "cls", "a"), TOKENS[:, 0])
    np.testing.assert_array_equal(pool_units(TOKENS, "last", "a"), TOKENS[:, 3])
    np.testing.assert_allclose(pool_units(MAPS, "mean", "a"), MAPS.mean(axis=(1, 2)), rtol=1e-6)
    first = pool_units(MAPS.transpose(0, 3, 1, 2), "mean", "a", channels_first=True)
    np.testing.assert_allclose(first, MAPS.mean(axis=(1, 2)), rtol=1e-6)


def test_padding_is_not_seen():
    tokens = read_tokens(REAL, 6)
    padded = np.where(tokens[..., None], TOKENS, np.nan)
    pooled = {pool: pool_units(padded, pool, "a", tokens=tokens) for pool in ("mean", "cls", "last")}
    for row, real in enumerate(tokens):
        own = TOKENS[row][real]
        np.testing.assert_allclose(pooled["mean"][row], own.mean(axis=0))
        np.testing.assert_array_equal(pooled["cls"][row], own[0])
        np.testing.assert_array_equal(pooled["last"][row], own[-1])


def test_a_sample_is_the_same_units_of_all_examples():
    flat = MAPS.reshape(6, -1)
    found = pool_units(MAPS, "sample:7", "a", seed=3)
    places = [np.flatnonzero(flat[0] == value).item() for value in found[0]]
    assert places == sorted(set(places))
    np.testing.assert_array_equal(found, flat[:, places])
    np.testing.assert_array_equal(pool_units(MAPS[2:], "sample:7", "a", seed=3), found[2:])
    assert (pool_units(MAPS, "sample:7", "a", seed=4) != found).any()
    np.testing.assert_array_equal(pool_units(MAPS, "sample:99", "a"), flat)


def test_half_precision_is_averaged_in_double():
    many = np.full((2, 3000, 1), 1.001, np.float16)
    assert pool_units(many, "mean", "a").dtype == np.float32
    np.testing.assert_allclose(pool_units(many, "mean", "a"), np.float32(many[0, 0, 0]), rtol=1e-6)


def test_layers_have_pools_by_name_and_by_pattern():
    layers = ("conv1", "conv2", "fc")
    assert pools_of("mean", layers) == dict.fromkeys(layers, "mean")
    assert pools_of({"conv*": "mean", "conv2": "sample:5"}, layers) == {
        "conv1": "mean",
        "conv2": "sample:5",
        "fc": "flatten",
    }
    # Where there are only features, there is nothing to pool.
    found = prepare({"map": MAPS, "fc": TOKENS[:, 0]}, LABELS, pool="mean")
    assert [values.shape for values in found.layers.values()] == [(6, 3), (6, 3)]


def test_tensors_have_channels_first():
    torch = pytest.importorskip("torch")
    found = prepare({"map": torch.tensor(MAPS).permute(0, 3, 1, 2)}, LABELS, pool="mean")
    np.testing.assert_allclose(found.layers["map"], MAPS.mean(axis=(1, 2)), rtol=1e-6)


def test_maps_whose_channels_are_elsewhere_are_refused():
    maps = MAPS[:, :2, :2]
    with pytest.raises(
        ValueError, match=r"channels last in layer 'map' .*looks like channels first; values.mean\(\(2, 3"
    ):
        pool_units(maps.transpose(0, 3, 1, 2), "mean", "map")
    with pytest.raises(
        ValueError, match=r"channels first in layer 'map' .*looks like channels last; values.mean\(\(1, 2"
    ):
        pool_units(maps, "mean", "map", channels_first=True)
    np.testing.assert_allclose(pool_units(maps, "mean", "map"), maps.mean(axis=(1, 2)), rtol=1e-6)


def test_arrays_that_may_have_channels_first_are_not_pooled_by_guess():
    """[n, channels, height, width] and [n, channels, length], as torch.extract returns them, in any disguise."""
    maps = np.ascontiguousarray(MAPS.transpose(0, 3, 1, 2)).view(ChannelsFirst)
    disguises = (maps, maps[np.arange(6)], [maps[:2], maps[2:]], 2 * maps, maps.transpose(0, 2, 3, 1), maps.astype("f"))
    message = r"channels last for pool 'mean' of layer 'map', got \(6, .*; give pool= to memorize_jax.torch.extract"
    for given in (*disguises, maps[:, :, 0], np.concatenate([maps[:2], np.asarray(maps[2:])])):
        with pytest.raises(ValueError, match=message) as raised:
            prepare({"map": given}, LABELS, pool="mean")
        assert "\n" not in str(raised.value)
        with pytest.raises(ValueError, match=message):
            GeometryAccumulator(pool={"map": "mean"}).add({"map": given}, LABELS)
    with pytest.raises(ValueError, match="channels last for pool 'cls' of layer 'map'"):
        prepare({"map": maps[:, :, 0]}, LABELS, pool="cls")


def test_a_mark_of_channels_changes_no_number():
    """All units are all units wherever the channels are, and where only features are left there is nothing to tell."""
    maps = MAPS.transpose(0, 3, 1, 2)
    marked = maps.copy().view(ChannelsFirst)
    for pool in ("flatten", "sample:7"):
        found = prepare({"map": marked}, LABELS, pool=pool).layers["map"]
        np.testing.assert_array_equal(found, pool_units(maps, pool, "map"))
        assert type(found) is np.ndarray
    found = prepare({"map": marked.mean((2, 3))}, LABELS, pool="mean").layers["map"]
    np.testing.assert_allclose(found, MAPS.mean((1, 2)), rtol=1e-6)
    # Whoever knows better says so: these are tokens.
    tokens = np.asarray(TOKENS.view(ChannelsFirst))
    np.testing.assert_allclose(prepare({"a": tokens}, LABELS, pool="mean").layers["a"], TOKENS.mean(1))


WRONG = {
    "unknown": ({"pool": "max"}, "expected pool to be one of flatten, mean, cls, last, sample:NUMBER, got 'max'"),
    "no number": ({"pool": "sample:few"}, "got 'sample:few' for layer"),
    "none": ({"pool": "sample:0"}, "got 'sample:0'"),
    "no layer": ({"pool": {"fc": "mean"}}, "expected pool for layers out of tokens, map, vector, got 'fc'"),
    "tokens of maps": (
        {"pool": {"map": "cls"}},
        r"of layer 'map' for pool 'cls', got .*pool=\{'map': 'mean', '\*': 'cls'",
    ),
    "other tokens": (
        {"pool": {"tokens": "mean"}, "tokens": REAL[:, :3]},
        r"expected tokens \[6, 4\] for layer 'tokens', got \[6, 3\]",
    ),
    "padding": ({"tokens": REAL}, "layer 'tokens': pool 'flatten' would take padded tokens as features; pool="),
    "weights": ({"tokens": 0.5 * REAL}, r"expected tokens \[6, tokens\] of truth values, got float64 \(6, 4\)"),
    "all padding": ({"tokens": REAL * (LABELS[:, None] < 1)}, "expected a token of every example, got none in row 1"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_pool_names_the_layer(options, message):
    with pytest.raises(ValueError, match=message) as raised:
        prepare({"tokens": TOKENS, "map": MAPS, "vector": TOKENS[:, 0]}, LABELS, **options)
    assert "\n" not in str(raised.value)
