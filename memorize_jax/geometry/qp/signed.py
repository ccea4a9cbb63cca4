"""Quadratic programs of cones: one Gram matrix, a sign for every point in every draw."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memorize_jax.geometry.qp.callback import solve_on_host
from memorize_jax.geometry.qp.interior import solve_by_interior_point

# Candidates for the penalty of the splitting: few shared directions want a large one, many weak ones a small one, and
# the wrong one costs ten times the iterations.
PENALTIES = (1.0, 0.3, 0.1, 0.03)
TRIAL_STEPS = 40
RELAXATION, STEPS_PER_CHECK = 1.7, 20
# As soon as no more than one in so many programs is unsolved, only these continue.
PARTS = 8
# Checks with one penalty before another is tried: after the chosen one a smaller, a larger, ...
CHECKS, FACTORS = 20, (1.0, 0.3, 3.0, 0.1, 10.0, 1.0)
# Scaled residual at which a program ends; ||v||^2 is exact to its square. What rounding of C b leaves comes on top.
TOLERANCES = {jnp.dtype("float32"): 5e-5, jnp.dtype("float64"): 1e-9}
ON_HOST_TOLERANCES = {jnp.dtype("float32"): 1e-6, jnp.dtype("float64"): 1e-11}
# A few draws lie where two faces meet and converge late: they may be this many times less exact than the mean.
TAIL = 5.0


def _allowed(values, signs):
    return jnp.where(values * signs > 0, values, 0)


def _excess(weights, gram, linear, signs):
    """Residuals in units of what is allowed, and themselves; [d] each."""
    gap = jnp.minimum(signs * weights, signs * (weights @ gram - linear))
    residual = jnp.max(jnp.abs(gap), axis=1)
    rounding = 50 * jnp.finfo(gram.dtype).eps * jnp.max(jnp.abs(weights), axis=1)
    return residual / (TOLERANCES[gram.dtype] + rounding), residual


def _unsolved(excess):
    return jnp.maximum(jnp.mean(excess), jnp.max(excess) / TAIL)


def _inverse(values, vectors, penalty):
    return (vectors / (values + penalty)) @ vectors.T


def _iterate(weights, dual, inverse, penalty, linear, signs, num_steps):
    """Over-relaxed ADMM on the split b = z, z of the signs' signs; one product serves all draws."""

    def step(_, carry):
        weights, dual = carry
        free = (linear + penalty * (weights - dual)) @ inverse
        moved = RELAXATION * free + (1 - RELAXATION) * weights + dual
        weights = _allowed(moved, signs)
        return weights, moved - weights

    return jax.lax.fori_loop(0, num_steps, step, (weights, dual))


def _scaled(linear, signs):
    size = jnp.max(jnp.abs(linear * signs), axis=1, keepdims=True)
    size = jnp.where(size > 0, size, 1)
    return linear / size, size


def choose_penalty(
    values: Float[Array, " n"], vectors: Float[Array, "n n"], linear: Float[Array, "d n"], signs: Float[Array, "d n"]
) -> Float[Array, ""]:
    """Finds the one of `PENALTIES` with which a few programs converge fastest; arguments of `solve_signed`."""
    gram = (vectors * values) @ vectors.T
    linear, _ = _scaled(linear, signs)
    nothing = jnp.zeros_like(linear)

    def left(penalty):
        inverse = _inverse(values, vectors, penalty)
        weights, _ = _iterate(nothing, nothing, inverse, penalty, linear, signs, TRIAL_STEPS)
        return _unsolved(_excess(weights, gram, linear, signs)[0])

    penalties = jnp.asarray(PENALTIES, values.dtype)
    return penalties[jnp.argmin(jax.lax.map(left, penalties))]


def solve_signed(
    values: Float[Array, " n"],
    vectors: Float[Array, "n n"],
    linear: Float[Array, "d n"],
    signs: Float[Array, "d n"],
    penalty: Float[Array, ""],
) -> tuple[Float[Array, "d n"], Float[Array, " d"]]:
    """Solves  min 1/2 b' C b - b' h  over all b with the given signs, for many h and signs at once.

    C, of unit diagonal, is given by its eigenvalues and eigenvectors, h by `linear`; a sign of 0 means b_i = 0. The
    penalty is what to begin with. Returns b and the residual max |min(y b, y (C b - h))|.

    References:
      Boyd et al. 2011, Distributed optimization via ADMM, section 5.2 and 3.4.3.
    """
    gram = (vectors * values) @ vectors.T
    scaled, size = _scaled(linear, signs)
    factors = jnp.asarray(FACTORS, values.dtype)
    num_worst = -(-len(linear) // PARTS)

    def attempt(carry):
        number, weights, pull, excess = carry
        own = penalty * factors[number]
        inverse = _inverse(values, vectors, own)

        def advance(weights, dual, linear, signs):
            weights, dual = _iterate(weights, dual, inverse, own, linear, signs, STEPS_PER_CHECK)
            return weights, dual, _excess(weights, gram, linear, signs)[0]

        def many_unsolved(inner):
            check, *_, excess = inner
            return (check < CHECKS) & (jnp.sum(excess > 1) > num_worst)

        def advance_all(inner):
            check, weights, dual, _ = inner
            return check + 1, *advance(weights, dual, scaled, signs)

        def few_unsolved(inner):
            check, *_, excess = inner
            return (check < CHECKS) & (_unsolved(excess) > 1)

        def advance_worst(inner):
            check, *state = inner
            _, worst = jax.lax.top_k(state[2], num_worst)
            improved = advance(*(each[worst] for each in (*state[:2], scaled, signs)))
            return check + 1, *(each.at[worst].set(new) for each, new in zip(state, improved, strict=True))

        carry = jax.lax.while_loop(many_unsolved, advance_all, (jnp.int32(0), weights, pull / own, excess))
        _, weights, dual, excess = jax.lax.while_loop(few_unsolved, advance_worst, (jnp.int32(0), *carry[1:]))
        # The scaled dual is the multiplier divided by the penalty.
        return number + 1, weights, dual * own, excess

    def unfinished(carry):
        number, *_, excess = carry
        return (number < len(FACTORS)) & (_unsolved(excess) > 1)

    nothing = jnp.zeros_like(scaled)
    start = (jnp.int32(0), nothing, nothing, jnp.full_like(size[:, 0], jnp.inf))
    _, weights, _, excess = jax.lax.while_loop(unfinished, attempt, start)
    if gram.dtype == jnp.float64:
        # In float32 what is left is rounding of C, which no method removes.
        weights = _solve_rest(weights, excess, gram, scaled, signs)
    return weights * size, _excess(weights, gram, scaled, signs)[1] * size[:, 0]


def solve_signed_on_host(
    values: Float[Array, " n"], vectors: Float[Array, "n n"], linear: Float[Array, "d n"], signs: Float[Array, "d n"]
) -> tuple[Float[Array, "d n"], Float[Array, " d"], Float[Array, " d"]]:
    """`solve_signed` on the host, which needs no penalty: b, b' C b and the residual. NaN in a program gives NaN."""
    scaled, size = _scaled(linear, signs)
    root = vectors * jnp.sqrt(values)
    found = solve_on_host(root, scaled, signs, tol=ON_HOST_TOLERANCES[root.dtype], is_root=True)
    weights, squares, residual = found[:, :-2], found[:, -2], found[:, -1]
    # The host reads of C only what it needs.
    weights = jnp.where(jnp.isnan(residual)[:, None], jnp.nan, weights)
    return weights * size, squares * size[:, 0] ** 2, residual * size[:, 0]


def _solve_rest(weights, excess, gram, linear, signs):
    """Solves one after the other what the splitting gave up: points whose directions differ in size by orders."""

    def left(carry):
        return _unsolved(carry[1]) > 1

    def solve_worst(carry):
        weights, excess = carry
        worst = jnp.argmax(excess)
        found = solve_by_interior_point(gram, linear[worst], signs[worst])
        own, before = (
            _excess(each[None], gram, linear[worst][None], signs[worst][None])[1][0] for each in (found, weights[worst])
        )
        # Whatever came of it, there is no other try.
        return weights.at[worst].set(jnp.where(own < before, found, weights[worst])), excess.at[worst].set(0)

    return jax.lax.while_loop(left, solve_worst, (weights, excess))[0]
