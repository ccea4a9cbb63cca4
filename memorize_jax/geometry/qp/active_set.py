"""Batched active-set method: exact where few points are active, which is nearly everywhere."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

# Steps that all programs take together, with as many slots.
COMMON_STEPS = 4
# Programs that this does not finish follow, an eighth of all in a round: most active points of one program, most steps.
MAX_ACTIVE, MAX_STEPS, MAX_ROUNDS = 16, 24, 5
# A point this close to the span of the active ones (squared distance) would make the inverse worthless.
LEAST_SCHUR = 1e-5


class ActiveSetState(NamedTuple):
    """State of n programs, s slots for active points each; programs are the last axis, along which CPUs vectorize."""

    values: Float[Array, "s n"]  # multipliers of the active points
    points: Int32[Array, "s n"]  # which point is in a slot
    used: Float[Array, "s n"]  # 1 where the slot is in use
    inverse: Float[Array, "s s n"]  # of the active points' Gram matrix, zero outside the used slots
    multipliers: Float[Array, "M n"]
    slack: Float[Array, "M n"]  # b - K a
    complete: Bool[Array, " n"]  # the last step was not cut short, so that a point may be added
    stuck: Bool[Array, " n"]  # no slot left or a nearly dependent point
    residual: Float[Array, " n"]  # max |min(a, K a - b)|


def _residual(multipliers, slack):
    return jnp.max(jnp.abs(jnp.minimum(multipliers, -slack)), axis=0)


def _start(linear, num_slots):
    num = linear.shape[1]
    zeros, nothing = jnp.zeros((num_slots, num), linear.dtype), jnp.zeros_like(linear)
    points, inverse = jnp.zeros((num_slots, num), jnp.int32), jnp.zeros((num_slots, num_slots, num), linear.dtype)
    complete, stuck = jnp.ones(num, bool), jnp.zeros(num, bool)
    residual = _residual(nothing, linear)
    return ActiveSetState(zeros, points, zeros, inverse, nothing, linear, complete, stuck, residual)


def _widen(state, num_slots):
    """Adds empty slots; none is stuck then."""
    more = max(num_slots - len(state.used), 0)
    pad = lambda leaf, axes: jnp.pad(leaf, [(0, more)] * axes + [(0, 0)] * (leaf.ndim - axes))
    padded = {name: pad(getattr(state, name), 1) for name in ("values", "points", "used")}
    return state._replace(**padded, inverse=pad(state.inverse, 2), stuck=jnp.zeros_like(state.stuck))


def _first(hits):
    """Index of the first True along the leading axis; argmax proper does not vectorize on CPU."""
    numbers = jnp.arange(hits.shape[0], dtype=jnp.int32)[:, None]
    return jnp.min(jnp.where(hits, numbers, hits.shape[0]), axis=0)


def _apply(matrices, vectors):
    return jnp.sum(matrices * vectors[:, None], axis=0)


def _step(state: ActiveSetState, gram, linear, tol) -> ActiveSetState:
    """Adds the most violated point, moves to the active points' solution, and drops the point that blocks the way."""
    slots = jnp.arange(state.used.shape[0], dtype=jnp.int32)[:, None]
    programs = jnp.arange(linear.shape[1])

    outside = jnp.where(state.multipliers > 0, -jnp.inf, state.slack)
    most = jnp.max(outside, axis=0)
    newcomer = jnp.minimum(_first(outside == most), len(gram) - 1)
    wanted = state.complete & (most > tol)
    free = slots == _first(state.used == 0)
    with_active = gram[state.points, newcomer] * state.used
    combination = _apply(state.inverse, with_active)
    schur = 1 - jnp.sum(with_active * combination, axis=0)
    possible = jnp.any(free, axis=0) & (schur > LEAST_SCHUR)
    added = wanted & possible
    slot = free & added
    border = jnp.where(slot, 1, -combination) * (added / jnp.sqrt(jnp.where(added, schur, 1)))
    inverse = state.inverse + border[:, None] * border[None]
    points = jnp.where(slot, newcomer, state.points)
    used = jnp.where(slot, 1, state.used)

    toward = _apply(inverse, state.slack[points, programs] * used)
    shrinking = (used > 0) & (toward < 0)
    reach = jnp.where(shrinking, state.values / jnp.where(shrinking, -toward, 1), jnp.inf)
    nearest = jnp.min(reach, axis=0)
    blocked = nearest < 1
    dropped = (slots == _first(reach == nearest)) & blocked
    column = _apply(inverse, dropped.astype(inverse.dtype))
    pivot = jnp.sum(jnp.where(dropped, column, 0), axis=0)
    column = column / jnp.sqrt(jnp.where(pivot > 0, pivot, 1))
    kept = jnp.where(dropped, 0, 1).astype(used.dtype)
    inverse = (inverse - column[:, None] * column[None]) * kept[:, None] * kept[None]
    used = used * kept
    values = jnp.maximum(state.values + jnp.minimum(nearest, 1) * toward, 0) * used

    multipliers = jnp.zeros_like(linear).at[points, programs].add(values)
    slack = linear - gram @ multipliers
    complete, stuck = ~blocked, state.stuck | (wanted & ~possible)
    residual = _residual(multipliers, slack)
    return ActiveSetState(values, points, used, inverse, multipliers, slack, complete, stuck, residual)


def solve_active_set(
    gram: Float[Array, "M M"], linear: Float[Array, "n M"], tol: float
) -> tuple[Float[Array, "n M"], Float[Array, " n"]]:
    """Solves min_{a >= 0} 1/2 a' K a - a' b for many b at once, as far as few points are active.

    The method of Lawson and Hanson on the normal equations, every program at its own active set; the inverse of the
    active points' Gram matrix is kept up to date by rank-one corrections, and as each move is computed from the true
    slack, their rounding errors do not add up.

    The diagonal of K is 1. A residual max |min(a, K a - b)| above `tol` marks a program that is not finished.

    References:
      Lawson & Hanson 1974, Solving least squares problems, chapter 23.
    """
    linear = linear.T
    num_worst = -(-linear.shape[1] // 8)

    def pending(state):
        return (state.residual > tol) & ~state.stuck

    def advance(gram, linear, num_steps, state):
        def unfinished(carry):
            number, state = carry
            return (number < num_steps) & jnp.any(pending(state))

        step = lambda carry: (carry[0] + 1, _step(carry[1], gram, linear, tol))
        return jax.lax.while_loop(unfinished, step, (0, state))[1]

    state = advance(gram, linear, COMMON_STEPS, _start(linear, COMMON_STEPS))

    def unfinished(carry):
        left, _, _ = carry
        # With many left the manifold is one for ADMM.
        return jnp.any(left) & (jnp.sum(state.residual > tol) <= MAX_ROUNDS * num_worst)

    def round_of_the_worst(carry):
        left, multipliers, residual = carry
        _, worst = jax.lax.top_k(jnp.where(left, residual, -1), num_worst)
        own, own_linear = jax.tree.map(lambda leaf: leaf[..., worst], (state, linear))
        own = advance(gram, own_linear, MAX_STEPS, _widen(own, min(MAX_ACTIVE, len(gram))))
        left = left.at[worst].set(False)
        return left, multipliers.at[:, worst].set(own.multipliers), residual.at[worst].set(own.residual)

    start = (state.residual > tol, state.multipliers, state.residual)
    _, multipliers, residual = jax.lax.while_loop(unfinished, round_of_the_worst, start)
    return multipliers.T, residual
