"""Batched ADMM for non-negative quadratic programs that share their quadratic part."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxopt import base
from jaxtyping import Array, Float, Int32

from memorize_jax.geometry.eigen import symmetric_eigen

# Penalties relative to a unit diagonal, tried in turn: 1 suits manifolds with more features than examples, 0.3 the
# others (measured; docs/performance.md).
PENALTIES = (1.0, 0.3)
UPDATES_PER_PENALTY = 2
RELAXATION = 1.8
STEPS_PER_UPDATE = 25
FULL_UPDATES = 3
# Conjugate gradient ends after as many steps as there are active points; most draws have fewer than this.
POLISH_STEPS = 20
# A few draws lie where two faces meet and converge late: they may be this many times less exact than the mean.
TAIL = 5.0


class ADMMState(NamedTuple):
    """What the next update needs."""

    iter_num: Int32[Array, ""]  # updates done
    error: Float[Array, ""]  # scaled KKT residual of the batch, see `_summary`
    residual: Float[Array, " n"]  # of each program
    dual: Float[Array, "n M"]  # scaled dual variables
    inverses: Float[Array, "penalties M M"]  # (K + penalty I)^-1 for each of `PENALTIES`
    which: Int32[Array, ""]  # index of the penalty in use


def solve_batch(
    gram: Float[Array, "M M"],
    linear: Float[Array, "n M"],
    tol: float,
    maxiter: int,
    start: tuple[Float[Array, "n M"], Float[Array, " n"]] | None = None,
) -> Float[Array, "n M"]:
    """Solves a batch, spending the later updates on the programs that need them.

    All programs take up to `FULL_UPDATES` updates together; from then on, and from the beginning if no more than an
    eighth is unsolved, only the worst eighth does, chosen anew each time.

    `maxiter` bounds the updates of the worst programs, in eighths of the batch. `start` are multipliers and residual to
    begin with; nothing is done if they are good already.
    """
    solver = NonnegativeADMM(tol=tol)
    params, residual = start or (jnp.zeros_like(linear), jnp.full(linear.shape[:1], jnp.inf, linear.dtype))
    num_worst = -(-linear.shape[0] // 8)
    state = solver.init_state(params, gram, linear, residual)

    def unfinished_by_many(carry):
        _, state = carry
        many = jnp.sum(state.residual > tol) > num_worst
        return (state.error > tol) & many & (state.iter_num < FULL_UPDATES)

    params, state = jax.lax.while_loop(
        unfinished_by_many, lambda carry: tuple(solver.update(*carry, gram, linear)), (params, state)
    )

    def unfinished(carry):
        _, state = carry
        return (state.error > tol) & (state.iter_num < FULL_UPDATES + maxiter)

    def advance(carry):
        params, state = carry
        _, worst = jax.lax.top_k(state.residual, num_worst)
        own = state._replace(dual=state.dual[worst], residual=state.residual[worst])
        improved, own = solver.update(params[worst], own, gram, linear[worst])
        residual = state.residual.at[worst].set(own.residual)
        state = own._replace(
            # The scaled dual of the programs left alone follows the change of penalty too.
            dual=_rescale(state.dual, state.which, own.which).at[worst].set(own.dual),
            residual=residual,
            error=_summary(residual),
        )
        return params.at[worst].set(improved), state

    return jax.lax.while_loop(unfinished, advance, (params, state))[0]


def _rescale(dual, before, after):
    """The scaled dual is the multiplier divided by the penalty."""
    penalties = jnp.asarray(PENALTIES, dual.dtype)
    return dual * (penalties[before] / penalties[after])


def _summary(residual):
    return jnp.maximum(jnp.mean(residual), jnp.max(residual) / TAIL)


def _solve_active(start, gram, linear):
    """Solves K a = b on the points where `start` is positive, a = 0 elsewhere, and clips what turns negative."""
    active = (start > 0).astype(start.dtype)
    residual = (linear - start @ gram) * active

    def step(_, carry):
        solution, residual, direction, squared = carry
        image = (direction @ gram) * active
        curvature = jnp.sum(direction * image, axis=-1, keepdims=True)
        length = jnp.where(curvature > 0, squared / jnp.where(curvature > 0, curvature, 1), 0)
        solution, residual = solution + length * direction, residual - length * image
        new_squared = jnp.sum(residual**2, axis=-1, keepdims=True)
        ratio = jnp.where(squared > 0, new_squared / jnp.where(squared > 0, squared, 1), 0)
        return solution, residual, residual + ratio * direction, new_squared

    squared = jnp.sum(residual**2, axis=-1, keepdims=True)
    solution, *_ = jax.lax.fori_loop(0, POLISH_STEPS, step, (start, residual, residual, squared))
    return jnp.maximum(solution, 0)


@dataclasses.dataclass(eq=False)
class NonnegativeADMM(base.IterativeSolver):
    """Solves min_{a >= 0} 1/2 a' K a - a' b for many b at once; K has a unit diagonal.

    Over-relaxed ADMM on the split a = z, z >= 0. One inverse serves the whole batch and an iteration is one matrix
    product, which suits CPU, GPU and TPU alike. One update is `STEPS_PER_UPDATE` iterations; if they do not suffice,
    the equations of the points that are active by then are solved by conjugate gradients, and the result is kept for
    the draws that it improves.

    It stops when the scaled residual |min(a, K a - b)| is below `tol` on average over the batch, and below `TAIL` times
    this for all of it.

    References:
      Boyd et al. 2011, Distributed optimization via ADMM, section 5.2 and 3.4.3.
    """

    maxiter: int = 80
    tol: float = 1e-6
    verbose: bool | int = False
    implicit_diff: bool = False
    jit: bool = True
    # Without this jaxopt unrolls the loop to `maxiter` whenever implicit differentiation is off.
    unroll: bool = False

    def init_state(self, init_params, gram, linear, residual: Float[Array, " n"]) -> ADMMState:
        """Factorizes once, unless all is solved; arguments of `solve_batch`."""
        error = _summary(residual)

        def factorize():
            values, vectors = symmetric_eigen(gram)
            return jnp.stack([(vectors / (values + penalty)) @ vectors.T for penalty in PENALTIES])

        number, dual = jnp.int32(0), jnp.minimum(linear - init_params @ gram, 0) / PENALTIES[0]
        nothing = lambda: jnp.zeros((len(PENALTIES), *gram.shape), gram.dtype)
        inverses = jax.lax.cond(error > self.tol, factorize, nothing)
        return ADMMState(number, error, residual, dual, inverses, jnp.int32(0))

    def update(self, params, state: ADMMState, gram, linear) -> base.OptStep:
        """Does `STEPS_PER_UPDATE` iterations and measures the residual."""
        penalties = jnp.asarray(PENALTIES, gram.dtype)
        penalty, inverse = penalties[state.which], state.inverses[state.which]

        def step(_, carry):
            positive, dual = carry
            free = (linear + penalty * (positive - dual)) @ inverse
            relaxed = RELAXATION * free + (1 - RELAXATION) * positive
            projected = jnp.maximum(relaxed + dual, 0)
            return projected, relaxed + dual - projected

        positive, dual = jax.lax.fori_loop(0, STEPS_PER_UPDATE, step, (params, state.dual))
        residual = self._residual(positive, gram, linear)

        def polish(positive, dual, residual):
            polished = _solve_active(positive, gram, linear)
            polished_residual = self._residual(polished, gram, linear)
            better = (polished_residual < residual)[:, None]
            implied = jnp.minimum(linear - polished @ gram, 0) / penalty
            positive, dual = jnp.where(better, polished, positive), jnp.where(better, implied, dual)
            return positive, dual, jnp.minimum(polished_residual, residual)

        positive, dual, residual = jax.lax.cond(
            _summary(residual) > self.tol, polish, lambda *carry: carry, positive, dual, residual
        )
        iter_num = state.iter_num + 1
        which = (iter_num // UPDATES_PER_PENALTY) % len(PENALTIES)
        dual = _rescale(dual, state.which, which)
        return base.OptStep(positive, ADMMState(iter_num, _summary(residual), residual, dual, state.inverses, which))

    def _residual(self, params, gram, linear):
        return jnp.max(jnp.abs(self.optimality_fun(params, gram, linear)), axis=-1)

    def optimality_fun(self, params, gram, linear) -> Float[Array, "n M"]:
        """Zero at the solution: min(a, K a - b)."""
        return jnp.minimum(params, params @ gram - linear)
