"""The search for shared directions on the host: its objective, its rules, and how programs call it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.invented import invent_centers
from memorize_jax import threads
from memorize_jax.geometry import center_candidates, center_search
from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.centers import center_structure

kernels = pytest.importorskip("memorize_jax.geometry.center_kernels", reason="needs numba", exc_type=ImportError)
center_host = pytest.importorskip("memorize_jax.geometry.center_host", reason="needs numba", exc_type=ImportError)

KEY = jax.random.key(0)


def gram_of(kind, num_centers, seed=0):
    centers = invent_centers(kind, num_centers, seed)
    return centers @ centers.T


def centers_of_rank(rank, num=9):
    points = np.random.default_rng(0).normal(size=(num, rank)) @ np.random.default_rng(1).normal(size=(rank, 30))
    return center_candidates.decompose(points @ points.T, 1e-15)


@pytest.mark.parametrize("share", [0.1, pytest.param(0.9, marks=pytest.mark.slow)])
def test_gradient_is_that_of_the_documented_objective_and_stays_in_the_span_of_the_centers(x64, share):
    centers = centers_of_rank(5)
    free = np.random.default_rng(2).normal(size=(2, 9)) * (np.arange(9) < 5)

    def documented(rows):
        directions = jnp.linalg.qr(rows.T)[0]
        left = centers.root - centers.root @ directions @ directions.T
        squares = jnp.sum(left**2, axis=1)
        cosines = (left @ left.T) / jnp.sqrt(squares[:, None] * squares[None, :])
        short = jnp.maximum(1 - squares / (share**2 * np.diagonal(centers.gram)), 0)
        return 0.5 * jnp.sum(cosines**2) + len(squares) * jnp.sum(short**2)

    directions, gradient = np.empty((2, 9)), np.empty((2, 9))
    about = (centers.root, centers.gram, centers.given)
    value = kernels.value_and_gradient(free, *about, share, directions, gradient)
    expected = jax.value_and_grad(documented)(jnp.asarray(free))
    np.testing.assert_allclose(value, expected[0], rtol=1e-10)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-7, atol=1e-9 * np.abs(expected[1]).max())
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
    assert np.abs(gradient[:, 5:]).max() < 1e-9


def test_what_is_left_is_judged_as_on_the_device(x64):
    centers = centers_of_rank(6)
    rows = np.linalg.qr(np.random.default_rng(3).normal(size=(9, 2)))[0].T
    found = center_candidates.judged(centers, rows)
    residual = jnp.asarray(center_candidates.residual_of(centers, rows))
    np.testing.assert_allclose(found.correlation, center_search.mean_absolute_cosine(residual), rtol=1e-10)
    np.testing.assert_allclose(found.cost, center_search._cost(residual), rtol=1e-10)
    squared = center_search._retained_squared(residual, jnp.asarray(centers.gram))
    np.testing.assert_allclose(found.retained, np.sqrt(squared.min()), rtol=1e-10)


def found_with(cost, retained):
    return center_candidates.Found(np.zeros((1, 3)), cost, cost, retained, 0.1)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        # The most stable within 3 % of the lowest cost.
        ([(1.0, 0.2), (1.02, 0.6), (1.04, 0.9)], 1),
        # Equally stable to rounding: the lowest cost.
        ([(1.02, 0.61), (1.01, 0.6)], 1),
        # One that takes a center away is none, as long as there is another.
        ([(0.5, 0.01), (1.0, 0.2)], 1),
        ([(np.nan, np.nan), (1.0, 0.01)], 1),
    ],
)
def test_the_most_stable_of_the_good_ones_is_chosen(candidates, chosen):
    found = [found_with(*each) for each in candidates]
    best, usable = center_candidates.choose(found)
    assert best is found[chosen]
    assert usable == (best.retained >= 0.05)


def test_next_direction_is_the_one_in_which_the_cosines_vary_most():
    centers = center_candidates.decompose(gram_of("shared", 20), 1e-15)
    none = np.zeros((0, 20))
    direction = center_candidates.next_direction(centers, none)
    np.testing.assert_allclose(np.linalg.norm(direction), 1)
    units = centers.root / np.linalg.norm(centers.root, axis=1, keepdims=True)
    leading = np.linalg.eigvalsh(units.T @ units)[-1]
    assert 0.95 * leading <= np.sum((units @ direction[0]) ** 2) <= leading * (1 + 1e-9)
    again = center_candidates.next_direction(centers, direction)
    assert abs(direction[0] @ again[0]) < 1e-9


@pytest.mark.parametrize("num_centers", [pytest.param(9, marks=pytest.mark.slow), 20])
def test_layers_of_a_batch_are_searched_as_one_by_one_on_any_number_of_cores(num_centers, monkeypatch):
    grams = jnp.asarray(
        [gram_of(kind, num_centers) for kind in ("shared", "rectified", "random", "unequal")], jnp.float32
    )
    search = lambda gram: center_structure(gram, key=KEY, neighbors=True)
    together = jax.jit(jax.vmap(search))(grams)
    monkeypatch.setattr(threads, "_cores", lambda: 1)
    alone = [search(gram) for gram in grams]
    assert len({int(each.num_components) for each in alone}) > 1
    for place, expected in enumerate(alone):
        jax.tree.map(lambda ours, own: np.testing.assert_array_equal(ours[place], own), together, expected)  # noqa: B023
    distance = center_search.neighbor_distance(num_centers)
    for found in alone:
        used = np.sum(np.any(np.nan_to_num(found.neighbors) != 0, axis=1), axis=1)
        numbers = int(found.num_components) + distance * np.array([-1, 1])
        np.testing.assert_array_equal(used[numbers > 0], numbers[numbers > 0])


def test_nan_in_a_layer_stays_there():
    grams = np.tile(gram_of("shared", 9), (2, 1, 1)).astype(np.float32)
    grams[0, 3, 3] = np.nan
    found = jax.vmap(lambda gram: center_structure(gram, key=KEY))(grams)
    for values in (found.center_correlation, found.residual_correlation, found.cost):
        np.testing.assert_array_equal(np.isfinite(values), [False, True])
    assert not found.num_components[0]


def test_only_the_processors_own_branch_is_in_its_program():
    run = jax.jit(lambda gram: center_structure(gram, key=KEY).cost)
    gram = jnp.asarray(gram_of("shared", 9), jnp.float32)
    here = run.lower(gram).as_text()
    there = jax.export.export(run, platforms=["tpu"])(gram).mlir_module()
    assert ("shared directions" in here, "shared directions" in there) == (True, False)
    on_device = jax.jit(lambda gram: center_structure(gram, key=KEY, on_host=False).cost)
    assert "shared directions" not in on_device.lower(gram).as_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shared", "low rank", "unequal"])
def test_the_host_finds_no_higher_cost_than_the_device(kind, x64):
    gram = jnp.asarray(gram_of(kind, 14, seed=3))
    ours, device = (center_structure(gram, key=KEY, num_components=3, on_host=on_host) for on_host in (True, False))
    # Of candidates within 3 % of the lowest the most stable one is kept.
    assert ours.cost <= 1.03 * device.cost
    np.testing.assert_allclose(ours.center_correlation, device.center_correlation, rtol=1e-9)


def test_no_directions_are_a_batch_of_no_columns():
    """What nothing is removed from has none, also where layers are one batch."""
    items = jnp.ones((3, 4))
    found = jax.jit(lambda items: chunked_map(lambda item: jnp.zeros((4, 0)) * item[:, None], items, 3))(items)
    assert found.shape == (3, 4, 0)
