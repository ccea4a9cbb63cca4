import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from memorize_jax import data, geometry
from memorize_jax.geometry.theory.separability import separable_by_least_squares
from memorize_jax.geometry.theory.simulated import _search, _Trial
from memorize_jax.geometry.theory.splitting import separable_dichotomies
from tests.oracles import joint as oracle

KEY = jax.random.key(0)


def spheres(num_manifolds, num_features=300):
    """Sampled spheres in random directions around random centers at distance 1."""
    return oracle.spheres(num_manifolds, 20, num_features, 4, 0.8).astype(np.float32)


def separable_by_linear_programming(rows, signs):
    """The oracle: whether a hyperplane through the origin of [rows, 1] has all points on the side of their sign."""
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    problem = linprog(np.zeros(rows.shape[1]), -signs[:, None] * rows, -np.ones(len(rows)), bounds=(None, None))
    return problem.status == 0


@pytest.mark.parametrize("num_features", [22, 17])
def test_separability_agrees_with_linear_programming(num_features):
    points, rng = jnp.asarray(spheres(10, num_features=60)), np.random.default_rng(0)
    projections = np.float32(rng.normal(size=(16, 60, 32)) * (np.arange(32) < num_features))
    labels = rng.permuted(np.tile(np.arange(10) < 5, (16, 1)), axis=1)
    mask = jnp.ones(points.shape[:2])
    found, undecided = separable_dichotomies(points, mask, projections, labels, bias=True, max_checks=200)
    for number, positive in enumerate(labels):
        rows = points.reshape(-1, 60) @ projections[number, :, :num_features]
        assert bool(found[number]) == separable_by_linear_programming(rows, np.repeat(np.where(positive, 1, -1), 20))
    assert not np.any(undecided)
    assert 0 < np.mean(found) < 1


@pytest.mark.slow
def test_agrees_with_mean_field_on_random_spheres():
    points = spheres(24)
    simulated = geometry.simulated_capacity(points, key=KEY, num_dichotomies=40)
    theory = geometry.manifold_geometry(points, key=KEY, num_draws=300, num_center_components=0).summary()["capacity"]
    assert simulated.bound == 0
    np.testing.assert_allclose(simulated.capacity, theory, rtol=0.1)
    assert 0 < simulated.standard_error < 0.1 * simulated.capacity


@pytest.mark.parametrize("num_features", [3, 20])
def test_least_squares_agree_with_linear_programming(num_features):
    rng = np.random.default_rng(0)
    rows, seen = rng.normal(size=(40, num_features)), []
    for margin in (0, 0.5, 2, 1e6):
        signs = np.sign(rows[:, 0] * margin + rng.normal(size=40))
        problem = linprog(np.zeros(num_features), -signs[:, None] * rows, -np.ones(40), bounds=(None, None))
        seen.append(problem.status == 0)
        assert separable_by_least_squares(rows, signs) == (seen[-1], False)
    assert seen[-1]
    assert num_features == 20 or not seen[0]


def test_wherever_and_however_the_search_begins_it_ends_at_the_same_capacity():
    points = np.random.default_rng(0).normal(size=(40, 1, 90)).astype(np.float32)
    measure = lambda **options: geometry.simulated_capacity(points, key=KEY, num_dichotomies=30, **options)
    found = measure(expected=0.8)
    # Cover: half of the dichotomies of P points separate at P = 2 (n + 1) with a bias.
    for other in (measure(), measure(expected=1e-3), measure(expected=8.0)):
        np.testing.assert_allclose(other.num_features, 40 / 2 - 1, rtol=0.1)
    np.testing.assert_allclose(found.num_features, 40 / 2 - 1, rtol=0.1)
    # The same dichotomies in the same projections, whatever decides them.
    exact, splitting = (measure(expected=0.8, method=method) for method in ("least_squares", "splitting"))
    np.testing.assert_array_equal(exact.tried, found.tried)
    np.testing.assert_allclose(exact.separable, found.separable, atol=1 / 30)
    np.testing.assert_allclose(splitting.num_features, exact.num_features, rtol=0.05)
    assert (exact.undecided, found.undecided) == (0, 0)
    assert splitting.undecided < 0.1


def test_every_dichotomy_has_a_projection_of_its_own_and_the_same_key_gives_the_same_answer():
    # Two classes have one dichotomy: in a shared projection all or none of a trial's would separate.
    found, again = (geometry.simulated_capacity(spheres(2), key=KEY, num_dichotomies=40) for _ in range(2))
    assert found.capacity == again.capacity
    assert np.sum((found.separable > 0.1) & (found.separable < 0.9)) >= 3


@pytest.mark.parametrize("num_copies", [1, 30])
def test_inseparable_classes_give_an_upper_bound_not_nan(num_copies):
    """Copies and constants are features, but no dimensions."""
    points = np.random.default_rng(0).normal(size=(8, 40, 6)).astype(np.float32)
    points = np.concatenate([np.tile(points, num_copies), np.ones((8, 40, 5), np.float32)], axis=-1)
    found = geometry.simulated_capacity(points, key=KEY, num_dichotomies=10)
    assert found.bound == -1
    assert (found.capacity, found.num_features, max(found.tried)) == (8 / 6, 6, 6)
    assert np.all(np.isnan([found.standard_error, found.slope, found.misfit]))


@pytest.mark.parametrize(("num_examples", "bound"), [(33, -1), (32, 0)])
def test_half_of_all_dichotomies_at_the_dimension_of_the_points_decides_about_a_bound(num_examples, bound):
    """Handwritten digits: ten classes have 126 dichotomies, of which some separate in no projection."""
    test = data.load("digits").test
    examples = [np.flatnonzero(test.labels == label)[:num_examples] for label in range(10)]
    points = np.asarray(test.images[np.concatenate(examples)], np.float32).reshape(10, num_examples, -1)
    flat = points.reshape(10 * num_examples, -1).astype(float) / 16
    dichotomies = [positive for positive in itertools.combinations(range(10), 5) if 0 in positive]
    signs = [np.repeat(np.where(np.isin(np.arange(10), positive), 1, -1), num_examples) for positive in dichotomies]
    share = np.mean([separable_by_linear_programming(flat, own) for own in signs])
    rank = np.linalg.matrix_rank(flat - flat.mean(axis=0))
    assert (share < 0.5) == (bound < 0)
    for seed in range(3):
        found = geometry.simulated_capacity(points, key=jax.random.key(seed), num_dichotomies=40, expected=0.2)
        assert found.bound == bound
        # A hundred and twenty-six tests leave nothing to chance where the estimate is near.
        assert found.tested[found.tried == rank].tolist() == [126]
        np.testing.assert_allclose(found.separable[found.tried == rank], share)
        assert found.num_features <= rank


def search(first_outcomes, outcome_of, *arguments):
    """`_search` among trials of 40 dichotomies, and the numbers of features that it tried."""
    trials, first = [], iter(first_outcomes)

    def trial(num_features):
        trials.append(_Trial(num_features, next(first, outcome_of(num_features)), 0, 40))
        return trials[-1].separable / 40

    return *_search(trial, trials, *arguments), [one.num_features for one in trials]


def test_a_lucky_trial_makes_no_estimate_of_a_bound():
    """Fewer than half of the dichotomies separate anywhere, but more than half of the first ones tested."""
    fit, bound, tried = search([22], lambda num_features: 10 + num_features // 8, 56, 50, 1.25, 4)
    assert (fit, bound) == (None, -1)
    assert 56 in tried


def test_trials_follow_the_fit_out_of_the_range_that_was_tried():
    """The first trials are wrong about the side: the fit leaves their range, and more are made there."""
    exact = lambda num_features: round(40 / (1 + np.exp(-(num_features - 60) / 4)))
    fit, bound, tried = search([22, 5], exact, 200, 30, 1.25, 4)
    assert bound == 0
    assert max(tried[:2]) == 30
    assert min(tried) <= fit.num_features <= max(tried)
    assert max(tried) > 50
    assert abs(fit.num_features - 60) < 2 * fit.error


def test_one_feature_that_separates_gives_a_lower_bound():
    points = np.zeros((2, 5, 4), np.float32)
    points[0] += 1
    found = geometry.simulated_capacity(points, key=KEY, num_dichotomies=10)
    assert (found.bound, found.capacity) == (1, 2)


def correlated(num_features=200):
    """Classes whose centers share two directions, and whose points vary along the same twelve."""
    rng = np.random.default_rng(0)
    centers = 1.5 * rng.normal(size=(12, 2)) @ rng.normal(size=(2, num_features))
    centers += 0.7 * rng.normal(size=(12, num_features))
    axes = rng.normal(size=(12, 6, 12)) @ rng.normal(size=(12, num_features)) / 12**0.5
    return (centers[:, None] + 0.4 * rng.normal(size=(12, 20, 6)) @ axes).astype(np.float32)


def hidden_layer(num_features=256, rank=24):
    """Few dimensions of unequal size, and too few for many dichotomies, as in the layers of a trained network."""
    rng = np.random.default_rng(0)
    size = np.linspace(2, 0.2, rank)
    points = rng.normal(size=(10, 1, rank)) + 0.6 * size * rng.normal(size=(10, 30, rank))
    return (points @ rng.normal(size=(rank, num_features))).astype(np.float32)


def oracle_threshold(points, near, num_dichotomies, seed=7):
    """n* by linear programming around a first guess: a line through the shares near one half."""
    rng = np.random.default_rng(seed)
    num_manifolds, num_examples, num_inputs = points.shape
    flat = points.reshape(-1, num_inputs).astype(float)
    tried, shares = np.arange(round(near) - 2, round(near) + 3), []
    for num_features in tried:
        found = []
        for _ in range(num_dichotomies):
            rows = (flat - flat.mean(axis=0)) @ rng.normal(size=(num_inputs, num_features)) / num_inputs**0.5
            signs = np.repeat(rng.permutation(np.arange(num_manifolds) < num_manifolds // 2) * 2 - 1, num_examples)
            found.append(separable_by_linear_programming(rows, signs))
        shares.append(np.mean(found))
    slope, offset = np.polyfit(tried, shares, 1)
    return (0.5 - offset) / slope


SLOW = [pytest.param(own, 40, 300, 2, marks=pytest.mark.slow) for own in (spheres(12), correlated(), hidden_layer())]


@pytest.mark.parametrize(("points", "num_keys", "num_tested", "at_most_missed"), [(hidden_layer(), 12, 60, 1), *SLOW])
def test_two_errors_hold_the_truth_for_ninety_three_percent_of_keys(points, num_keys, num_tested, at_most_missed):
    found = [geometry.simulated_capacity(points, key=jax.random.key(k), num_dichotomies=40) for k in range(num_keys)]
    assert all(one.bound == 0 for one in found)
    numbers, errors = (np.array([getattr(one, name) for one in found]) for name in ("capacity", "standard_error"))
    mean = np.mean([one.num_features for one in found])
    truth = len(points) / oracle_threshold(points, mean, num_tested)
    assert np.sum(np.abs(numbers - truth) > 2 * errors) <= at_most_missed
    # Neither are they so wide as to say nothing.
    assert np.mean(errors) < 2.5 * np.std(numbers)
    np.testing.assert_allclose(np.mean(numbers), truth, rtol=0.03)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_dichotomies": 1}, "expected num_dichotomies >= 2, got 1"),
        ({"method": "lp"}, "expected method to be one of host, splitting, least_squares, got 'lp'"),
        ({"expected": 0.0}, "expected a positive expected capacity, got 0.0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        geometry.simulated_capacity(spheres(4), key=KEY, **options)
