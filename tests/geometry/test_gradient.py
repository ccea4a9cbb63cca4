import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memorize_jax import geometry
from memorize_jax.geometry.frames import symmetric_root
from tests.geometry.shared import KEY, POINTS, measure


def total_capacity(points, **options):
    return jnp.sum(measure(points, **options).capacity)


def slope(points, direction, **options):
    ahead, behind = (total_capacity(points + sign * 1e-5 * direction, **options) for sign in (1, -1))
    return (ahead - behind) / 2e-5


@pytest.mark.parametrize(
    "options",
    [
        {"kappa": 0.0},
        {"kappa": 0.3},
        pytest.param({"num_center_components": None, "center_basis": np.eye(8)[:2]}, marks=pytest.mark.slow),
    ],
)
def test_equals_finite_differences(x64, options):
    points, direction = jnp.asarray(POINTS), np.random.default_rng(1).normal(size=POINTS.shape)
    gradient = jax.grad(total_capacity)(points, **options)
    np.testing.assert_allclose(jnp.sum(gradient * direction), slope(points, direction, **options), rtol=1e-6)


@pytest.mark.slow
def test_holds_the_chosen_directions_fixed(x64):
    # One direction that all centers share, so that nothing but it can be chosen, whatever the rounding.
    shared = 6 * np.random.default_rng(2).normal(size=(4, 1, 1)) * np.linalg.qr(np.eye(8) + 1)[0][0]
    points = jnp.asarray(POINTS + shared)
    direction = np.random.default_rng(1).normal(size=points.shape)
    gradient = jax.grad(total_capacity)(points, num_center_components=1)
    centers = points.mean(axis=1) - points.mean(axis=(0, 1))
    found = geometry.center_structure(centers @ centers.T, key=KEY, num_components=1)
    options = {"num_center_components": None, "center_basis": found.coefficients.T @ centers}
    np.testing.assert_allclose(jnp.sum(gradient * direction), slope(points, direction, **options), rtol=1e-5)


@pytest.mark.slow
def test_works_under_jit_vmap_and_pmap():
    points, gradient = jnp.asarray(POINTS, jnp.float32), jax.grad(total_capacity)
    alone = jax.jit(gradient)(points)
    both = jax.jit(jax.vmap(gradient))(jnp.stack([points, 2 * points]))
    for found in (both[0], 2 * both[1], jax.pmap(gradient)(points[None])[0]):
        np.testing.assert_allclose(found, alone, atol=2e-4)


def numbers(points):
    """All that `manifold_geometry` documents to have no gradient, and of the joint geometry."""
    mean_field = measure(points)
    joint = geometry.joint_geometry(points, key=KEY, num_draws=4)
    own = (mean_field.radius, mean_field.dimension, mean_field.center_correlation)
    return own, (joint.radius, joint.dimension, joint.class_capacity)


def test_the_capacity_alone_has_a_gradient_and_by_reverse_mode_alone():
    """As the docstrings say, so that nobody trains on a dimension in vain."""
    points = jnp.asarray(POINTS, jnp.float32)
    found, backward = jax.vjp(numbers, points)
    assert not np.any(backward(jax.tree.map(jnp.ones_like, found))[0])
    assert np.any(jax.grad(total_capacity)(points))
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(total_capacity, (points,), (points,))


def test_root_is_differentiable_where_eigenvalues_coincide(x64):
    gram, change = jnp.eye(3), jnp.asarray([[1.0, 2, 0], [2, 0, 1], [0, 1, 3]])
    _, derivative = jax.jvp(lambda gram: symmetric_root(gram).root, (gram,), (change,))
    np.testing.assert_allclose(derivative, change / 2)


@pytest.mark.slow
def test_a_linear_map_learns_to_raise_capacity():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(6, 8, 10)) * np.linspace(0.1, 2, 10)
    points = jnp.asarray(rng.normal(size=(6, 1, 10)) + noise, jnp.float32)
    tx = optax.adam(0.05)

    def inverse_capacity(weights, key):
        return jnp.mean(1 / measure(points @ weights, key=key, solver="active_set").capacity)

    @jax.jit
    def step(weights, state, key):
        updates, state = tx.update(jax.grad(inverse_capacity)(weights, key), state)
        return optax.apply_updates(weights, updates), state

    weights = jnp.eye(10)
    state, before = tx.init(weights), 1 / inverse_capacity(weights, KEY)
    for number in range(60):
        weights, state = step(weights, state, jax.random.fold_in(KEY, number))
    assert 1 / inverse_capacity(weights, KEY) > 1.3 * before
