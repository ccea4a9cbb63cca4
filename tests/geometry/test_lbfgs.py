import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

from memorize_jax.geometry.lbfgs import minimize_batch

CURVATURES = jnp.logspace(0, 3, 20)


def quadratic(points):
    flat = points.reshape(len(points), -1)
    return 0.5 * jnp.sum(CURVATURES * (flat - 1) ** 2, axis=1), (CURVATURES * (flat - 1)).reshape(points.shape)


RUN = jax.jit(lambda starts, maxiter: minimize_batch(quadratic, starts, maxiter=maxiter, tol=1e-9))


def test_every_start_of_a_batch_finds_the_minimum_and_leaves_alone_one_that_has_no_value():
    starts = jax.random.normal(jax.random.key(0), (5, 4, 5)).at[3].set(1)
    points, values = RUN(starts.at[0].set(jnp.nan), 10_000)
    np.testing.assert_allclose(points[1:], 1, atol=1e-3)
    np.testing.assert_allclose(values[1:], 0, atol=1e-6)
    assert np.isnan(values[0])


def test_a_curved_valley_is_followed_as_scipy_does(x64):
    both = jax.vmap(jax.value_and_grad(lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)))
    starts = np.random.default_rng(0).uniform(-0.5, 1.5, (4, 6))
    _, values = minimize_batch(both, jnp.asarray(starts), maxiter=500, tol=1e-12)
    for start, value in zip(starts, values, strict=True):
        np.testing.assert_allclose(value, scipy.optimize.minimize(scipy.optimize.rosen, start).fun, atol=1e-8)


def test_no_value_is_above_that_at_the_start_however_few_evaluations():
    starts = 3 * jax.random.normal(jax.random.key(1), (5, 4, 5))
    before, _ = quadratic(starts)
    values = before
    for maxiter in (0, 1, 3, 30):
        points, now = RUN(starts, maxiter)
        np.testing.assert_allclose(now, quadratic(points)[0], rtol=1e-5)
        assert np.all(now <= values * (1 + 1e-6))
        values = now
    assert np.all(values < before)
