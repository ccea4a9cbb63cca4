import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.geometry import ball_capacity, capacity_radius_dimension


def monte_carlo(radius, dimension, kappa, num=400_000):
    rng = np.random.default_rng(0)
    x = rng.normal(size=num) - kappa
    r = np.sqrt(rng.chisquare(dimension, size=num))
    touched = (radius * r - x) ** 2 / (1 + radius**2)
    return 1 / np.mean(np.where(x > radius * r, 0, np.where(x > -r / radius, touched, x**2 + r**2)))


BALLS = [(0.3, 1.0), (0.5, 2.0), (1.0, 5.0), (2.0, 30.0), (1.0, 0.3), (5, 300)]


@pytest.mark.parametrize("kappa", [0.0, 0.5])
def test_equals_sampling(kappa):
    found = ball_capacity(*jnp.array(BALLS).T, kappa)
    np.testing.assert_allclose(found, [monte_carlo(*ball, kappa) for ball in BALLS], rtol=0.01)


def test_limits():
    np.testing.assert_allclose(ball_capacity(jnp.array([0.0, 1.0]), jnp.array([5.0, 0.0])), 2, rtol=1e-5)
    np.testing.assert_allclose(ball_capacity(1e-4, 5.0), 2, rtol=1e-2)
    # For R to infinity a ball is a D-dimensional subspace: 1/alpha = D + 1/2.
    np.testing.assert_allclose(ball_capacity(1e4, 10.0), 1 / 10.5, rtol=1e-2)
    assert np.isnan(ball_capacity(1.0, 5.0, -1.0))
    assert np.isnan(ball_capacity(jnp.array([-1.0, 1.0]), jnp.array([5.0, -5.0]))).all()


def test_few_dimensions_in_closed_form():
    # A ball of radius 1 has 1/alpha = (1 + D)/2, and with D its capacity comes to that of a point.
    dimensions = jnp.array([1e-6, 1e-3, 0.01, 0.1, 0.5, 0.999, 1.001, 3.0, 100.0])
    np.testing.assert_allclose(ball_capacity(jnp.ones(9), dimensions), 2 / (1 + dimensions), rtol=1e-5)
    # By adaptive integration in SciPy, over both normal draw and radius.
    found = ball_capacity(jnp.array([3, 30, 0.1]), jnp.array([0.001, 0.05, 0.5]))
    np.testing.assert_allclose(found, [1.9969652334, 1.8232352846, 1.8645103219], rtol=1e-5)


def test_falls_with_radius_dimension_and_margin_and_works_under_vmap():
    radii = jnp.array([1.0, 1.1])
    base, wider = jax.vmap(ball_capacity)(radii, jnp.array([5.0, 5.0]))
    assert base > wider
    assert base > ball_capacity(1.0, 5.5)
    assert base > ball_capacity(1.0, 5.0, 0.1)


@pytest.mark.slow
def test_densely_sampled_circle_approaches_the_ball():
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    frame = np.stack([0.8 * np.cos(angles), 0.8 * np.sin(angles), np.ones(60)], axis=1).astype(np.float32)
    draws = np.random.default_rng(0).normal(size=(4000, 3)).astype(np.float32)
    capacity, _, _ = capacity_radius_dimension(frame, draws)
    np.testing.assert_allclose(capacity, ball_capacity(0.8, 2.0), rtol=0.04)
