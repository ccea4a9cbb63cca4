import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memorize_jax import geometry
from memorize_jax.geometry.frames import symmetric_root

KEY = jax.random.key(0)


def cloud(num_manifolds=4, num_examples=5, num_features=8):
    rng = np.random.default_rng(0)
    return rng.normal(size=(num_manifolds, num_examples, num_features)) + rng.normal(
        size=(num_manifolds, 1, num_features)
    )


def total_capacity(points, **options):
    settings = {"num_draws": 30, "num_center_components": 0, **options}
    return jnp.sum(geometry.manifold_geometry(points, key=KEY, **settings).capacity)


JITTED = jax.jit(jax.grad(total_capacity))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kappa": 0.3},
        pytest.param({"num_center_components": None, "center_basis": np.eye(8)[:2]}, marks=pytest.mark.slow),
    ],
)
def test_equals_finite_differences(x64, options):
    points, direction = jnp.asarray(cloud()), np.random.default_rng(1).normal(size=(4, 5, 8))
    gradient = jax.grad(total_capacity)(points, **options)
    step = 1e-5
    ahead, behind = (total_capacity(points + sign * step * direction, **options) for sign in (1, -1))
    np.testing.assert_allclose(jnp.sum(gradient * direction), (ahead - behind) / (2 * step), rtol=1e-6)


@pytest.mark.slow
def test_holds_the_chosen_directions_fixed(x64):
    # One direction that all centres share, so that nothing but it can be chosen, whatever the rounding.
    shared = 6 * np.random.default_rng(2).normal(size=(6, 1, 1)) * np.linalg.qr(np.eye(8) + 1)[0][0]
    points = jnp.asarray(cloud(num_manifolds=6) + shared)
    direction = np.random.default_rng(1).normal(size=points.shape)
    gradient = jax.grad(total_capacity)(points, num_center_components=1)
    centers = points.mean(axis=1) - points.mean(axis=(0, 1))
    found = geometry.center_structure(centers @ centers.T, key=KEY, num_components=1)
    options = {"num_center_components": None, "center_basis": found.coefficients.T @ centers}
    ahead, behind = (total_capacity(points + sign * 1e-5 * direction, **options) for sign in (1, -1))
    np.testing.assert_allclose(jnp.sum(gradient * direction), (ahead - behind) / 2e-5, rtol=1e-5)


@pytest.mark.slow
def test_works_under_jit_and_vmap():
    points = jnp.asarray(cloud(), jnp.float32)
    alone = JITTED(points)
    both = jax.jit(jax.vmap(jax.grad(total_capacity)))(jnp.stack([points, 2 * points]))
    np.testing.assert_allclose(both[0], alone, atol=1e-4)
    np.testing.assert_allclose(both[1], alone / 2, atol=1e-4)


def test_works_under_pmap():
    points = jnp.asarray(cloud(), jnp.float32)[None]
    np.testing.assert_allclose(jax.pmap(jax.grad(total_capacity))(points)[0], JITTED(points[0]), atol=1e-4)


def test_root_is_differentiable_where_eigenvalues_coincide(x64):
    gram, change = jnp.eye(3), jnp.asarray([[1.0, 2, 0], [2, 0, 1], [0, 1, 3]])
    _, derivative = jax.jvp(lambda gram: symmetric_root(gram).root, (gram,), (change,))
    np.testing.assert_allclose(derivative, change / 2)


@pytest.mark.slow
def test_a_linear_map_learns_to_raise_capacity():
    rng = np.random.default_rng(2)
    signal = rng.normal(size=(6, 1, 10))
    noise = rng.normal(size=(6, 8, 10)) * np.linspace(0.1, 2, 10)
    points = jnp.asarray(signal + noise, jnp.float32)
    tx = optax.adam(0.05)

    def inverse_capacity(weights, key):
        result = geometry.manifold_geometry(points @ weights, key=key, num_draws=30, num_center_components=0)
        return jnp.mean(1 / result.capacity)

    @jax.jit
    def step(weights, state, key):
        updates, state = tx.update(jax.grad(inverse_capacity)(weights, key), state)
        return optax.apply_updates(weights, updates), state

    weights = jnp.eye(10)
    state, before = tx.init(weights), 1 / inverse_capacity(weights, KEY)
    for number in range(60):
        weights, state = step(weights, state, jax.random.fold_in(KEY, number))
    assert 1 / inverse_capacity(weights, KEY) > 1.3 * before
