import types

import jax
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.measurements.capacity_check import simulation as capacity_check
from memorize_jax.measurements.capacity_check.simulation import repeated_capacity

KEY = jax.random.key(0)


def simulating(monkeypatch, *found):
    """Lets the simulations find these (capacity, standard error, bound), one after the other; returns their keys."""
    keys, rest = [], iter(found)

    def simulate(points, *, key, num_dichotomies, expected):
        keys.append(tuple(np.asarray(jax.random.key_data(key)).ravel()))
        capacity, error, bound = next(rest)
        return types.SimpleNamespace(capacity=capacity, standard_error=error, bound=bound, undecided=0.25)

    monkeypatch.setattr(capacity_check, "simulated_capacity", simulate)
    return keys


def test_repetitions_are_averaged_and_their_spread_counts(monkeypatch):
    keys = simulating(monkeypatch, (0.1, 0.001, 0), (0.2, 0.001, 0), (0.6, 0.001, 0))
    found = repeated_capacity(None, key=KEY, num_repetitions=3)
    assert len(set(keys)) == 3
    assert found.capacity == pytest.approx(0.3)
    assert found.standard_error == pytest.approx(np.sqrt((0.04 + 0.01 + 0.09) / 2 / 3))
    assert (found.bound, found.undecided) == (0, 0.25)


def test_agreement_by_chance_does_not_hide_the_error_of_each(monkeypatch):
    simulating(monkeypatch, (0.1, 0.03, 0), (0.1, 0.04, 0))
    assert repeated_capacity(None, key=KEY, num_repetitions=2).standard_error == pytest.approx(0.025)


def test_a_bound_among_the_repetitions_is_a_bound(monkeypatch):
    simulating(monkeypatch, (0.4, 0.01, 0), (0.5, float("nan"), -1))
    found = repeated_capacity(None, key=KEY, num_repetitions=2)
    assert (found.capacity, found.bound) == (0.5, -1)
    assert np.isnan(found.standard_error)


def test_one_repetition_is_the_simulation():
    points = np.random.default_rng(0).normal(size=(12, 1, 20)).astype(np.float32)
    found = repeated_capacity(points, key=KEY, num_dichotomies=8)
    once = geometry.simulated_capacity(points, key=jax.random.fold_in(KEY, 0), num_dichotomies=8)
    assert (found.capacity, found.standard_error) == (once.capacity, once.standard_error)


def test_no_repetition_is_refused():
    with pytest.raises(ValueError, match="expected num_repetitions >= 1, got 0"):
        repeated_capacity(np.zeros((2, 2, 2)), key=KEY, num_repetitions=0)
