"""L-BFGS for many starts at once, with one evaluation of the function an iteration."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

# Pairs of steps and changes of the gradient that are remembered.
MEMORY = 8
# A step must gain this share of what the slope promises, but for the rounding of the value itself.
SUFFICIENT, ROUNDING = 1e-4, 2.0
# A start is done when so many steps in a row gained less than the tolerance.
SMALL_GAINS = 3


class _State(NamedTuple):
    evaluations: Int32[Array, ""]
    point: Float[Array, "R n"]
    value: Float[Array, " R"]
    gradient: Float[Array, "R n"]
    direction: Float[Array, "R n"]
    step: Float[Array, " R"]  # length of the step to try next, in directions
    moves: Float[Array, "memory R n"]  # a ring
    changes: Float[Array, "memory R n"]  # of the gradient
    curvature: Float[Array, "memory R"]  # 1 / (move . change); 0 for a pair that says nothing
    scale: Float[Array, " R"]  # of the inverse Hessian to begin with
    small: Int32[Array, " R"]  # small gains in a row
    done: Bool[Array, " R"]


def minimize_batch(
    value_and_gradient: Callable, start: Float[Array, "R ..."], *, maxiter: ArrayLike, tol: float
) -> tuple[Float[Array, "R ..."], Float[Array, " R"]]:
    """Minimizes a smooth function from many starts; returns points and values, none above that at its start.

    Every iteration evaluates one point for each start, at most `maxiter`. A step that does not gain enough is shortened
    by the minimum of the parabola through what is known, so that no start waits for the line search of another. A start
    is done when its value falls by less than the share `tol` of itself, three times in a row.
    """
    shape, eps = start.shape, jnp.finfo(start.dtype).eps

    def evaluate(point):
        value, gradient = value_and_gradient(point.reshape(shape))
        return value, gradient.reshape(point.shape)

    def advance(state):
        moved = state.step[:, None] * state.direction
        value, gradient = evaluate(state.point + moved)
        slope = state.step * _dot(state.gradient, state.direction)
        allowed = SUFFICIENT * slope + ROUNDING * eps * jnp.abs(state.value)
        taken = (value - state.value <= allowed) & ~state.done
        take = lambda new, old: jnp.where(taken.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        change = gradient - state.gradient
        product, square = _dot(moved, change), _dot(change, change)
        useful = taken & (product > eps**0.5 * jnp.sqrt(square * _dot(moved, moved)))
        newest = state.evaluations % MEMORY
        moves, changes = state.moves.at[newest].set(moved), state.changes.at[newest].set(change)
        curvature = state.curvature.at[newest].set(jnp.where(useful, 1 / jnp.where(useful, product, 1), 0))
        scale = jnp.where(useful, product / jnp.where(useful, square, 1), state.scale)

        gradient = take(gradient, state.gradient)
        direction = -_inverse_hessian_product(gradient, newest, moves, changes, curvature, scale)
        downhill = _dot(direction, gradient) < 0
        direction = take(jnp.where(downhill[:, None], direction, -gradient), state.direction)
        bend = value - state.value - slope
        shorter = jnp.where(bend > 0, -slope / (2 * jnp.where(bend > 0, bend, 1)), 0)
        step = jnp.where(taken, 1, state.step * jnp.clip(shorter, 0.1, 0.5))
        small = jnp.where(taken, (state.small + 1) * (state.value - value < tol * jnp.abs(value)), state.small)
        done = state.done | (small >= SMALL_GAINS) | (step < eps)
        value, point = take(value, state.value), take(state.point + moved, state.point)
        pairs = (moves, changes, curvature, scale)
        return _State(state.evaluations + 1, point, value, gradient, direction, step, *pairs, small, done)

    point = start.reshape(shape[0], -1)
    value, gradient = evaluate(point)
    length = jnp.sqrt(_dot(gradient, gradient))
    first = jnp.minimum(1, 0.3 * jnp.sqrt(_dot(point, point)) / jnp.where(length > 0, length, 1))
    state = _State(
        evaluations=jnp.int32(0),
        point=point,
        value=value,
        gradient=gradient,
        direction=-gradient,
        step=first,
        moves=jnp.zeros((MEMORY, *point.shape), point.dtype),
        changes=jnp.zeros((MEMORY, *point.shape), point.dtype),
        curvature=jnp.zeros((MEMORY, len(point)), point.dtype),
        scale=jnp.ones_like(value),
        small=jnp.zeros(len(point), jnp.int32),
        done=length == 0,
    )
    state = jax.lax.while_loop(lambda state: (state.evaluations < maxiter) & ~jnp.all(state.done), advance, state)
    return state.point.reshape(shape), state.value


def _dot(one, other):
    return jnp.sum(one * other, axis=-1)


def _inverse_hessian_product(gradient, newest, moves, changes, curvature, scale):
    """The two loops of Nocedal: from the newest pair to the oldest, and back."""

    def back(age, carry):
        rest, shares = carry
        pair = (newest - age) % MEMORY
        share = curvature[pair] * _dot(moves[pair], rest)
        return rest - share[:, None] * changes[pair], shares.at[pair].set(share)

    def forth(number, rest):
        pair = (newest + 1 + number) % MEMORY
        share = curvature[pair] * _dot(changes[pair], rest)
        return rest + (shares[pair] - share)[:, None] * moves[pair]

    rest, shares = jax.lax.fori_loop(0, MEMORY, back, (gradient, jnp.zeros_like(curvature)))
    return jax.lax.fori_loop(0, MEMORY, forth, rest * scale[:, None])
