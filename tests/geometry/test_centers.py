import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.geometry.centers import center_structure, mean_absolute_cosine
from tests.oracles import reference


def centers_of(name):
    centers = reference.points(name).mean(axis=1)
    return centers - centers.mean(axis=0)


def check_cost(name, num_components, num_keys):
    centers = centers_of(name)
    expected = reference.fixed_components()[name][str(num_components)]
    for seed in range(num_keys):
        key = jax.random.key(seed)
        found = center_structure(jnp.asarray(centers @ centers.T), key=key, num_components=num_components)
        assert found.cost <= 1.03 * expected["cost"]


@pytest.mark.parametrize("name", ["digits", pytest.param("lowrank_centers", marks=pytest.mark.slow)])
def test_cost_is_at_most_the_published_tools(name):
    check_cost(name, num_components=2, num_keys=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", reference.SETS)
@pytest.mark.parametrize("num_components", [1, 2, 3])
def test_cost_is_at_most_the_published_tools_for_all_sets_and_numbers(name, num_components):
    check_cost(name, num_components, num_keys=5)


def test_basis_is_orthonormal_and_cost_is_what_it_says(x64):
    centers = centers_of("lowrank_centers").astype(np.float64)
    found = center_structure(jnp.asarray(centers @ centers.T), key=jax.random.key(0), num_components=3)
    basis = np.asarray(found.coefficients).T @ centers
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-6)
    residual = centers - centers @ basis.T @ basis
    cosine = (residual @ residual.T) / np.outer(*[np.linalg.norm(residual, axis=1)] * 2)
    np.testing.assert_allclose(found.cost, 0.5 * np.sum(cosine**2), rtol=1e-6)
    expected = np.mean(np.abs(cosine[~np.eye(len(cosine), dtype=bool)]))
    np.testing.assert_allclose(found.residual_correlation, expected, rtol=1e-6)


@pytest.mark.slow
def test_finds_the_number_of_planted_directions():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(16, 2)) @ rng.normal(size=(2, 200)) * 3
    centers = shared + rng.normal(size=(16, 200))
    found = center_structure(jnp.asarray(centers @ centers.T, jnp.float32), key=jax.random.key(0))
    assert int(found.num_components) == 2
    assert found.residual_correlation < 0.3 * found.center_correlation


def test_removes_nothing_from_uncorrelated_centers():
    found = center_structure(jnp.eye(20), key=jax.random.key(0))
    assert int(found.num_components) == 0
    np.testing.assert_allclose(found.center_correlation, 1 / 19, rtol=1e-5)


def test_published_convention_always_removes_one():
    found = center_structure(jnp.eye(20), key=jax.random.key(0), min_components=1)
    assert int(found.num_components) >= 1


def test_same_key_same_answer():
    gram = jnp.asarray(centers_of("digits") @ centers_of("digits").T)
    one, two = (center_structure(gram, key=jax.random.key(3), num_components=2) for _ in range(2))
    np.testing.assert_array_equal(one.coefficients, two.coefficients)


@pytest.mark.parametrize(("num_manifolds", "bad"), [(2, 1), (10, 9), (10, -1)])
def test_impossible_number_of_components_is_named(num_manifolds, bad):
    with pytest.raises(
        ValueError, match=rf"expected num_center_components between 0 and {num_manifolds - 2}.*got {bad}"
    ):
        center_structure(jnp.eye(num_manifolds), key=jax.random.key(0), num_components=bad)


def test_mean_absolute_cosine_ignores_the_diagonal_and_vanished_vectors():
    vectors = np.array([[1.0, 0], [1, 1], [0, 0]])
    np.testing.assert_allclose(mean_absolute_cosine(jnp.asarray(vectors @ vectors.T)), 2 * 0.5**0.5 / 6, rtol=1e-6)
