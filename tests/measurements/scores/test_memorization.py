"""Memorization and influence against sums by hand and against networks whose behavior is known."""

import numpy as np
import pytest

from memorize_jax.measurements.scores.memorization import FEWEST, TOO_FEW, influence, memorization, top_influences


@pytest.fixture
def runs():
    """120 runs that know the labels of some of 30 examples, and of 12 test examples."""
    rng = np.random.default_rng(0)
    return rng.random((120, 30)) < 0.6, rng.random((120, 30)) < 0.5, rng.random((120, 12)) < 0.5


def by_hand(members, right):
    """One example after the other: (difference, standard error)."""
    found = []
    for inside in members.T:
        shares = [(right[chosen].mean(), chosen.sum()) for chosen in (inside, ~inside)]
        error = np.sqrt(sum(share * (1 - share) / count for share, count in shares))
        found.append((shares[0][0] - shares[1][0], error))
    return np.array(found).T


def test_equals_sums_by_hand(runs):
    members, correct, test_correct = runs
    found = memorization(members, correct)
    for at in range(30):
        value, error = by_hand(members[:, [at]], correct[:, at])
        np.testing.assert_allclose((found.value[at], found.standard_error[at]), (value[0], error[0]), rtol=1e-12)
    both = influence(members, test_correct)
    for test in range(12):
        np.testing.assert_allclose(
            (both.value[test], both.standard_error[test]), by_hand(members, test_correct[:, test])
        )


def test_what_only_its_own_networks_know_is_memorized_and_what_all_know_is_not(runs):
    members, everything = runs[0], np.ones_like(runs[0])
    assert (memorization(members, members).value == 1).all()
    for known in (everything, ~everything):
        assert (memorization(members, known).value == 0).all()
    # Without and with are exchanged.
    np.testing.assert_allclose(memorization(~members, runs[1]).value, -memorization(members, runs[1]).value)


def test_the_standard_error_is_the_scatter_of_independent_networks():
    rng, chances = np.random.default_rng(1), (0.9, 0.3)
    members = np.arange(60)[:, None] < 40
    draws = [memorization(members, rng.random((60, 1)) < np.where(members, *chances)) for _ in range(400)]
    values, errors = (np.array([getattr(draw, name)[0] for draw in draws]) for name in ("value", "standard_error"))
    assert values.mean() == pytest.approx(0.6, abs=0.02)
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)


def test_an_example_with_too_few_networks_has_no_number(runs):
    members, correct, test_correct = (leaf.copy() for leaf in runs)
    members[:, 3], members[:, 4] = True, np.arange(120) >= 120 - FEWEST
    members[:, 5] = np.arange(120) >= 121 - FEWEST
    found = memorization(members, correct)
    assert found.status[[3, 4, 5]].tolist() == [TOO_FEW, 0, TOO_FEW]
    assert np.isnan(found.value[[3, 5]]).all()
    assert np.isnan(found.standard_error[[3, 5]]).all()
    assert np.isfinite(found.value[4])
    top = top_influences(members, test_correct, 30)
    assert not {3, 5} & set(top.examples.ravel().tolist())
    assert (top.examples[:, -2:] == -1).all()


def test_the_top_influences_are_the_largest_whatever_is_held_at_once(runs, monkeypatch):
    members, _, test_correct = runs
    whole, top = influence(members, test_correct).value, top_influences(members, test_correct, 4)
    np.testing.assert_array_equal(top.values, -np.sort(-whole, axis=1)[:, :4])
    np.testing.assert_array_equal(np.take_along_axis(whole, top.examples, 1), top.values)
    monkeypatch.setattr("memorize_jax.measurements.scores.memorization.TESTS_AT_A_TIME", 5)
    for leaf, other in zip(top_influences(members, test_correct, 4), top, strict=True):
        np.testing.assert_array_equal(leaf, other)
