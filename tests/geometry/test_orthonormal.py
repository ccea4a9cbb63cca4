import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.geometry.orthonormal import orthonormal_columns

TARGET = np.random.default_rng(1).standard_normal((9, 9))


@pytest.fixture
def columns():
    with jax.enable_x64(True):
        drawn = np.random.default_rng(0).standard_normal((9, 5))
        drawn[:, 3:] = 0
        yield jnp.asarray(drawn)


def of_span(directions):
    return jnp.sum(jnp.cos(TARGET * (directions @ directions.T)))


def test_directions_are_orthonormal_and_span_the_columns(columns):
    found = orthonormal_columns(columns, 3)
    np.testing.assert_allclose(found.T @ found, np.diag([1, 1, 1, 0, 0]), atol=1e-12)
    np.testing.assert_allclose(found @ (found.T @ columns), columns, atol=1e-12)
    expected = np.linalg.qr(columns[:, :3])[0]
    np.testing.assert_allclose(found[:, :3] @ found[:, :3].T, expected @ expected.T, atol=1e-12)


def test_gradient_is_that_through_a_qr_decomposition(columns):
    found = jax.grad(lambda columns: of_span(orthonormal_columns(columns, 3)))(columns)
    expected = jax.grad(lambda columns: of_span(jnp.linalg.qr(columns)[0]))(columns[:, :3])
    np.testing.assert_allclose(found[:, :3], expected, atol=1e-10)
    np.testing.assert_allclose(found[:, 3:], 0)


def test_no_component_is_no_direction(columns):
    np.testing.assert_array_equal(orthonormal_columns(columns * 0, 0), np.zeros((9, 5)))


def test_vmap_is_a_loop(columns):
    several = jnp.stack([columns, 2 * columns + 1e-3 * columns**2])
    together = jax.vmap(orthonormal_columns, (0, None))(several, 3)
    np.testing.assert_allclose(together, jnp.stack([orthonormal_columns(one, 3) for one in several]), atol=1e-12)


@pytest.mark.parametrize("num_components", [1, 14, 15, 40])
def test_many_columns_are_those_of_a_qr_decomposition(x64, num_components):
    columns = jnp.asarray(np.random.default_rng(2).standard_normal((60, 50))).at[:, num_components:].set(0)
    found = orthonormal_columns(columns, num_components)
    expected = jnp.linalg.qr(columns[:, :num_components])[0]
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-10)
    np.testing.assert_array_equal(found[:, num_components:], 0)
    target = np.random.default_rng(3).standard_normal((60, 60))
    value = lambda directions: jnp.sum(jnp.cos(target * (directions @ directions.T)))
    gradient = jax.grad(lambda columns: value(orthonormal_columns(columns, num_components)))(columns)
    expected = jax.grad(lambda columns: value(jnp.linalg.qr(columns)[0]))(columns[:, :num_components])
    np.testing.assert_allclose(gradient[:, :num_components], expected, atol=1e-8)
