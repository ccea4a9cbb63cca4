"""Linear separability of random dichotomies by splitting, in batches on the device, with certificates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from memorize_jax.geometry.batching import chunked_map

# Relaxation of the splitting, and iterations between two looks at the certificates.
RELAXATION, STEPS_PER_CHECK = 1.7, 20


@functools.partial(jax.jit, static_argnames=("bias", "max_checks"))
@jax.default_matmul_precision("highest")
def separable_dichotomies(
    points: Float[Array, "P M N"],
    mask: Float[Array | np.ndarray, "P M"],
    projections: Float[Array | np.ndarray, "T N n"],
    labels: Bool[Array | np.ndarray, "T P"],
    *,
    bias: bool,
    max_checks: int,
) -> tuple[Bool[Array, " T"], Bool[Array, " T"]]:
    """Tests dichotomies of manifolds, each in a projection of its own; on CPU one after the other.

    Douglas-Rachford splitting between the range of X (the outputs a hyperplane can give) and the outputs with a margin
    of 1. Zero columns of a projection count for nothing; `bias` lets the hyperplane miss the origin. Returns separable,
    where a hyperplane was found, and undecided, where neither was one found nor shown not to exist.
    """
    flat, present = points.reshape(-1, points.shape[-1]), mask.reshape(-1)

    def separate(item):
        projection, own_labels = item
        rows = flat @ projection
        rows = rows / jnp.maximum(jnp.sqrt(jnp.sum(rows**2) / jnp.sum(present)), 1e-30)
        if bias:
            rows = jnp.concatenate([jnp.ones_like(rows[:, :1]), rows], axis=1)
        signs = jnp.repeat(jnp.where(own_labels, 1, -1), points.shape[1]).astype(points.dtype)
        num_columns = bias + jnp.sum(jnp.any(projection != 0, axis=0))
        return _split(rows * (signs * present)[:, None], num_columns, present == 0, max_checks)

    return chunked_map(separate, (projections, labels), None)


def _inverse(matrix, size):
    """Inverse of the first rows and columns of a positive definite matrix, by Gauss-Jordan elimination.

    Written out, and not LAPACK's: on CPU its threads and those of jax wait for one another, a hundred times longer.
    """

    def eliminate(j, rest):
        pivot, row = rest[j, j], rest[j]
        swept = rest - jnp.outer(row, row / pivot)
        swept = swept.at[j].set(row / pivot).at[:, j].set(row / pivot)
        return swept.at[j, j].set(-1 / pivot)

    return -jax.lax.fori_loop(0, size, eliminate, matrix)


def _split(rows, num_columns, absent, max_checks):
    """Whether some w has rows . w > 0 for all rows that are not absent: (found, undecided)."""
    gram = rows.T @ rows
    inverse = _inverse(gram + 1e-6 * jnp.trace(gram) / len(gram) * jnp.eye(len(gram), dtype=rows.dtype), num_columns)

    def reach(state):
        """Outputs with a margin, and the nearest to their reflection that a hyperplane can give."""
        inside = jnp.where(absent, 0, jnp.maximum(state, 1))
        return inside, rows @ (inverse @ ((2 * inside - state) @ rows))

    def step(_, state):
        inside, reached = reach(state)
        return state + RELAXATION * (reached - inside)

    def look(state):
        inside, reached = reach(state)
        found = jnp.min(jnp.where(absent, jnp.inf, reached)) > 1e-4
        # weights >= 0 with X' weights = 0 prove that no hyperplane exists.
        weights = jnp.where(absent, 0, jnp.maximum(inside - state, 0))
        mass = jnp.sum(weights)
        return found, (jnp.linalg.norm(weights @ rows) < 3e-5 * mass) & (mass > 0)

    def unfinished(carry):
        _, found, refuted, checks = carry
        return (checks < max_checks) & ~(found | refuted)

    def advance(carry):
        state, _, _, checks = carry
        state = jax.lax.fori_loop(0, STEPS_PER_CHECK, step, state)
        return state, *look(state), checks + 1

    start = (jnp.where(absent, 0, jnp.ones_like(rows[:, 0])), jnp.bool_(False), jnp.bool_(False), jnp.int32(0))
    _, found, refuted, _ = jax.lax.while_loop(unfinished, advance, start)
    return found, ~(found | refuted)
