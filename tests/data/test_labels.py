import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memorize_jax.data import MODES, permute_labels

UNEVEN = np.random.default_rng(0).choice(7, 1003, p=np.arange(1, 8) / 28)


def permute(labels, fraction=0.5, *, seed=0, num_classes=7, **options):
    return permute_labels(labels, fraction, key=jax.random.key(seed), num_classes=num_classes, **options)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    labels=st.lists(st.integers(0, 4), max_size=60),
    fraction=st.sampled_from([0.0, 1.0]) | st.floats(0, 1),
    mode=st.sampled_from(MODES),
    stratified=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_holds_for_any_labels(labels, fraction, mode, stratified, seed):
    given, labels = np.array(labels, np.uint8), np.array(labels, int)
    found = permute(given, fraction, num_classes=5, mode=mode, stratified=stratified, seed=seed)
    permuted = found.is_permuted
    np.testing.assert_array_equal(given, labels)
    assert (found.assigned.dtype, found.true.dtype, permuted.dtype) == (np.int32, np.int32, bool)
    assert permuted.sum() == round(fraction * len(labels))
    assert np.all((found.assigned >= 0) & (found.assigned < 5))
    np.testing.assert_array_equal(found.true, labels)
    np.testing.assert_array_equal(found.assigned[~permuted], labels[~permuted])
    if stratified:
        share = permuted.sum() / max(len(labels), 1)
        expected = share * np.bincount(labels, minlength=5)
        assert np.all(np.abs(np.bincount(labels[permuted], minlength=5) - expected) < 1)
    if mode == "shuffle":
        np.testing.assert_array_equal(np.sort(found.assigned), np.sort(labels))
    if mode == "exclude_true":
        assert not np.any(found.assigned[permuted] == labels[permuted])


def test_stratification_gives_equal_shares_of_equal_classes_and_chance_does_not():
    labels = np.repeat(np.arange(7), 40)
    np.testing.assert_array_equal(np.bincount(labels[permute(labels, 0.25).is_permuted]), np.full(7, 10))
    shares = [np.bincount(labels[permute(labels, 0.25, stratified=False, seed=s).is_permuted]) for s in range(5)]
    assert np.ptp(shares) > 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_classes", [2, 5])
def test_every_true_class_gets_every_class_equally_often_its_own_too_and_then_counts_as_permuted(mode, num_classes):
    labels = np.repeat(np.arange(num_classes), 400)
    found = permute(labels, 1.0, mode=mode, num_classes=num_classes)
    assert found.is_permuted.all()
    table = np.zeros((num_classes, num_classes), int)
    np.add.at(table, (found.true, found.assigned), 1)
    allowed = ~np.eye(num_classes, dtype=bool) if mode == "exclude_true" else np.ones_like(table, bool)
    assert np.all((table > 0) == allowed)
    expected = len(labels) / num_classes / allowed.sum(axis=1)
    assert np.all(np.abs(table[allowed] - expected[0]) < 5 * np.sqrt(expected[0]))


@pytest.mark.parametrize("mode", MODES)
def test_the_key_decides(mode):
    first, again, other = (permute(UNEVEN, mode=mode, seed=seed) for seed in (3, 3, 4))
    for name in ("assigned", "is_permuted"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert np.any(getattr(first, name) != getattr(other, name))


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 1], {"fraction": 1.5}, "expected permuted_fraction between 0 and 1, got 1.5"),
        ([0, 1], {"fraction": -0.1}, "expected permuted_fraction between 0 and 1, got -0.1"),
        ([0, 1], {"fraction": float("nan")}, "expected permuted_fraction between 0 and 1, got nan"),
        ([0, 1], {"mode": "mix"}, "expected permutation mode to be one of shuffle, uniform, exclude_true, got 'mix'"),
        ([0, 7], {}, r"expected labels in 0 \.\. 6, got 0 \.\. 7"),
        ([-1, 6], {}, r"expected labels in 0 \.\. 6, got -1 \.\. 6"),
        ([0.0, 1.0], {}, r"expected integer labels \[n\], got float64"),
        ([[0], [1]], {}, r"expected integer labels \[n\], got int64 \(2, 1\)"),
        ([0, 0], {"mode": "exclude_true", "num_classes": 1}, "expected at least 2 classes"),
    ],
)
def test_bad_input_is_named(labels, options, message):
    with pytest.raises(ValueError, match=message):
        permute(labels, **options)
