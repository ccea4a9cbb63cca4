import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from memorize_jax import geometry
from memorize_jax.geometry.separability import separable_by_least_squares
from memorize_jax.geometry.simulated import METHODS, separable_dichotomies
from memorize_jax.keys import stream

KEY = jax.random.key(0)


def spheres(num_manifolds, seed=0, num_examples=20, dimension=4, radius=0.8, num_features=300):
    """Sampled spheres in random directions around random centres at distance 1."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(num_manifolds, 1, num_features))
    centers /= np.linalg.norm(centers, axis=-1, keepdims=True)
    axes = np.linalg.qr(rng.normal(size=(num_manifolds, num_features, dimension)))[0]
    on_sphere = rng.normal(size=(num_manifolds, num_examples, dimension))
    on_sphere *= radius / np.linalg.norm(on_sphere, axis=-1, keepdims=True)
    return (centers + on_sphere @ axes.transpose(0, 2, 1)).astype(np.float32)


def test_separability_agrees_with_linear_programming():
    points, num_features, num_dichotomies = spheres(10, num_features=60), 22, 12
    mask = jnp.ones(points.shape[:2])
    found, undecided = separable_dichotomies(
        jnp.asarray(points),
        mask,
        num_features,
        KEY,
        max_features=32,
        num_dichotomies=num_dichotomies,
        bias=True,
        max_checks=200,
    )
    projection = np.asarray(jax.random.normal(stream(KEY, "projection"), (60, 32)))[:, :num_features]
    rows = np.concatenate([points.reshape(-1, 60) @ projection, np.ones((200, 1))], axis=1)
    keys = jax.random.split(stream(KEY, "dichotomies"), num_dichotomies)
    labels = jax.vmap(lambda k: jax.random.permutation(k, jnp.arange(10) < 5))(keys)
    for number, positive in enumerate(np.asarray(labels)):
        signs = np.repeat(np.where(positive, 1, -1), 20)[:, None]
        feasible = linprog(np.zeros(rows.shape[1]), -signs * rows, -np.ones(200), bounds=(None, None)).status == 0
        assert bool(found[number]) == feasible
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


@pytest.mark.parametrize(("method", "expected"), [(METHODS[0], 0.8), (METHODS[1], 0.8), (METHODS[1], None)])
def test_wherever_and_however_the_search_begins_it_ends_at_the_same_capacity(method, expected):
    points = np.random.default_rng(0).normal(size=(40, 1, 90)).astype(np.float32)
    options = {"num_dichotomies": 30, "expected": expected, "method": method}
    found = geometry.simulated_capacity(points, key=KEY, **options)
    np.testing.assert_allclose(found.num_features, 40 / 2 - 1, rtol=0.1)
    assert found.undecided < 0.1


def test_points_have_the_perceptron_capacity():
    """Cover: half of the dichotomies of P points separate at P = 2 (n + 1) with a bias."""
    points = np.random.default_rng(0).normal(size=(60, 1, 200)).astype(np.float32)
    found = geometry.simulated_capacity(points, key=KEY, num_dichotomies=60)
    np.testing.assert_allclose(found.num_features, 60 / 2 - 1, rtol=0.08)


def test_inseparable_classes_give_an_upper_bound_not_nan():
    points = np.random.default_rng(0).normal(size=(8, 40, 6)).astype(np.float32)
    found = geometry.simulated_capacity(points, key=KEY, num_dichotomies=10)
    assert found.bound == -1
    assert found.capacity == 8 / 6


def test_one_feature_that_separates_gives_a_lower_bound():
    points = np.zeros((2, 5, 4), np.float32)
    points[0] += 1
    found = geometry.simulated_capacity(points, key=KEY, num_dichotomies=10)
    assert found.bound == 1
    assert found.capacity == 2


def test_same_key_same_answer():
    points = spheres(6)
    one, two = (geometry.simulated_capacity(points, key=KEY, num_dichotomies=8, num_refinements=1) for _ in range(2))
    assert one.capacity == two.capacity


def test_too_few_dichotomies_are_named():
    with pytest.raises(ValueError, match="expected num_dichotomies >= 2, got 1"):
        geometry.simulated_capacity(spheres(4), key=KEY, num_dichotomies=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lp"}, "expected method to be one of splitting, least_squares, got 'lp'"),
        ({"expected": 0.0}, "expected a positive expected capacity, got 0.0"),
    ],
)
def test_options_that_there_are_not(options, message):
    with pytest.raises(ValueError, match=message):
        geometry.simulated_capacity(spheres(4), key=KEY, **options)
