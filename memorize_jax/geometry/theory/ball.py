"""Capacity of ideal balls: the closed form that radius and dimension are meant to predict."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jax.scipy.stats import norm
from jax.typing import ArrayLike
from jaxtyping import Array, Float

NUM_NODES = 400


def _truncated_moment(low, high, center):
    """Integral of (center - t)^2 over the standard normal t between low and high."""
    mass = norm.cdf(high) - norm.cdf(low)
    # t phi(t) vanishes at infinity, where the product itself would be inf * 0.
    edge = lambda t: jnp.where(jnp.isfinite(t), t * norm.pdf(t), 0)
    first = norm.pdf(low) - norm.pdf(high)
    second = mass + edge(low) - edge(high)
    return center**2 * mass - 2 * center * first + second


def _inverse_at(r, radius, kappa):
    """Mean squared distance over t0, given the length r of the draw within the ball's directions."""
    touching_from = jnp.where(radius > 0, -r / jnp.where(radius > 0, radius, 1), -jnp.inf)
    touching_from = jnp.where((radius == 0) & (r == 0), 0, touching_from)
    touching = _truncated_moment(touching_from + kappa, radius * r + kappa, radius * r + kappa) / (1 + radius**2)
    below = norm.cdf(touching_from + kappa)
    embedded = _truncated_moment(-jnp.inf, touching_from + kappa, kappa) + r**2 * below
    return touching + embedded


@jax.jit
def ball_capacity(radius: ArrayLike, dimension: ArrayLike, kappa: ArrayLike = 0.0) -> Float[Array, "..."]:
    """Mean-field capacity of D-dimensional balls of radius R around random centers at distance 1.

        1/alpha = < f(t0, r) >,  t0 ~ N(0, 1),  r ~ chi_D,  x = t0 - kappa
        f = 0                          if x > R r           (the draw satisfies every constraint)
          = (R r - x)^2 / (1 + R^2)    if -r/R < x < R r    (one point of the ball is touched)
          = x^2 + r^2                  if x < -r/R          (the whole ball is)

    The integral over t0 is done in closed form, that over r by Gauss-Legendre quadrature. The paper's A.1.2 quotes the
    approximation that keeps the middle case and sets r = sqrt(D).

    R, in units of the distance to the center, and D, which need not be whole, are of one shape; so is alpha, which is 2
    for R = 0 or D = 0 and kappa = 0, and NaN for a negative radius, dimension or margin kappa.

    References:
      Chung, Lee & Sompolinsky 2016 and 2018 (section on balls).
    """
    dtype = jnp.result_type(radius, dimension, kappa, jnp.float32)
    radius, dimension = jnp.broadcast_arrays(jnp.asarray(radius, dtype), jnp.asarray(dimension, dtype))
    nodes, weights = np.polynomial.legendre.leggauss(NUM_NODES)
    # r = high s^4 brings nodes to where a large ball touches.
    s, weights = jnp.asarray((nodes + 1) / 2, dtype), jnp.asarray(weights / 2, dtype)
    high = jnp.sqrt(dimension)[..., None] + 9
    r = high * s**4
    log_density = (dimension[..., None] - 1) * jnp.log(r) - r**2 / 2 - (dimension[..., None] / 2 - 1) * jnp.log(2.0)
    log_density -= gammaln(jnp.where(dimension > 0, dimension, 1) / 2)[..., None]
    mass = weights * 4 * high * s**3 * jnp.exp(log_density)
    # From one dimension on, normalizing by the same quadrature cancels its error to first order. Below, nearly all mass
    # lies at r = 0, where no node is, but counts for nothing in the difference from there.
    mass = jnp.where(dimension[..., None] < 1, mass, mass / jnp.sum(mass, axis=-1, keepdims=True))
    at_center = _inverse_at(jnp.zeros_like(radius), radius, kappa)
    beyond = _inverse_at(r, radius[..., None], kappa) - at_center[..., None]
    inverse = at_center + jnp.where(dimension == 0, 0, jnp.sum(mass * beyond, axis=-1))
    return jnp.where((radius >= 0) & (dimension >= 0) & (jnp.asarray(kappa) >= 0), 1 / inverse, jnp.nan)
