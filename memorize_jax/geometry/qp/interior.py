"""Interior-point method for what splitting leaves unsolved: slower, and indifferent to conditioning."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

MAX_STEPS = 40
# Share of the way to the boundary that a step goes.
SHORT = 0.995


def _length(values, step):
    """How far to go, at most 1, until the first value vanishes."""
    reach = jnp.where(step < 0, values / jnp.where(step < 0, -step, 1), jnp.inf)
    return jnp.minimum(SHORT * jnp.min(reach), 1)


@jax.custom_batching.sequential_vmap
def solve_by_interior_point(
    gram: Float[Array, "n n"], linear: Float[Array, " n"], signs: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Solves  min 1/2 b' C b - b' h  over all b with the given signs, one program.

    Predictor and corrector steps on  y (C b - h) = z,  y b = a,  a z = 0.  Under vmap one program follows the other,
    for the reason that `geometry.eigen` gives.

    C is positive semi-definite, h of order 1, signs -1, 1, and 0 for b_i = 0; b is as good as rounding allows.

    References:
      Mehrotra 1992; Nocedal & Wright 2006, algorithm 16.4.
    """
    gram = gram * signs[:, None] * signs[None, :]
    # A pull to the forbidden side keeps out what takes no part.
    linear = jnp.where(signs != 0, signs * linear, -1)
    eps = jnp.finfo(gram.dtype).eps

    def gap_of(weights, slack):
        return jnp.mean(weights * slack), jnp.max(jnp.abs(weights @ gram - linear - slack))

    def unfinished(carry):
        number, weights, slack, usable = carry
        gap, infeasible = gap_of(weights, slack)
        exact = (gap < eps**2 * jnp.max(weights)) & (infeasible < 10 * eps * jnp.max(weights))
        return (number < MAX_STEPS) & usable & ~exact

    def step(carry):
        number, weights, slack, _ = carry
        infeasible = weights @ gram - linear - slack
        scale = jnp.sqrt(weights / slack)
        factor = jnp.linalg.cholesky(scale[:, None] * gram * scale + jnp.eye(len(gram), dtype=gram.dtype))

        def direction(products):
            right = scale * (products / weights - infeasible)
            move = scale * jax.scipy.linalg.cho_solve((factor, True), right)
            return move, (products - slack * move) / weights

        gap = jnp.mean(weights * slack)
        move, change = direction(-weights * slack)
        least = (weights + _length(weights, move) * move) * (slack + _length(slack, change) * change)
        center = (jnp.mean(least) / gap) ** 3 * gap
        move, change = direction(center - weights * slack - move * change)
        length = jnp.minimum(_length(weights, move), _length(slack, change))
        ahead, slack_ahead = weights + length * move, slack + length * change
        usable = jnp.all(jnp.isfinite(ahead) & jnp.isfinite(slack_ahead)) & jnp.all(slack_ahead > 0)
        usable &= jnp.all(ahead > 0)
        number = number + 1
        return number, jnp.where(usable, ahead, weights), jnp.where(usable, slack_ahead, slack), usable

    start = jnp.int32(0), jnp.ones_like(linear), jnp.ones_like(linear), jnp.array(True)
    _, weights, slack, _ = jax.lax.while_loop(unfinished, step, start)
    return jnp.where(weights > slack, weights, 0) * signs
