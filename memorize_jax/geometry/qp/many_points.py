"""Programs with hundreds of active points that share a Gram matrix: a splitting finds these points, Cholesky solves.

Lawson and Hanson's method adds points one by one, which takes longest where most of them stay. The programs of a Gram
matrix are one product a step here, in float32; what comes out is only a guess, of which points are active.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float

from memorize_jax.geometry.qp import host
from memorize_jax.threads import on_threads

# Points that are added one by one to the first program of a Gram matrix; if they are not enough, this is faster.
FEW_ADDED = 256
# Steps of the splitting, by when a few active points are still wrong at most, and its relaxation.
STEPS, RELAXATION = 40, 1.7
# Rounds of solving and exchanging points; a program that takes more is given up.
MOST_ROUNDS = 8
# Programs that are solved together: a number that does not depend on the cores.
TOGETHER = 32


class _Prepared(NamedTuple):
    """What the programs of one Gram matrix share."""

    gram: np.ndarray  # K, [M, M]
    guess: Callable[[int, int], Bool[np.ndarray, "_ M"]] | None  # None where few points are active


def solve_by_root(
    roots: Float[np.ndarray, "k M D"],
    linears: Float[np.ndarray, "n M"],
    signs: Float[np.ndarray, "_ M"],
    tol: float,
    least_pivot: float,
    max_steps: int,
    rounding: float,
    weights: Float[np.ndarray, "n M"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """`host.solve_programs` of K = B B', given by B with orthogonal columns, on all cores.

    What lies of h outside of the span of B, up to the share `rounding` of the largest, is left out: no b would be
    enough for it where points depend on one another. Returns b' K b and the residuals max |min(y b, y (K b - h))|, y
    being the signs.
    """
    per_gram = len(linears) // len(roots)
    linears = _inside(roots, linears, rounding)
    signs = np.broadcast_to(signs, linears.shape)
    prepared: Any = [None] * len(roots)

    def one_by_one(number, first, last, most=max_steps):
        """Of the programs of one Gram matrix."""
        own = slice(number * per_gram, (number + 1) * per_gram)
        gram, arguments = prepared[number].gram[None], (linears[own], signs[own], first, last)
        host.solve_programs(gram, *arguments, tol, least_pivot, most, weights[own])

    def prepare(first, last):
        for number in range(first, last):
            root, place = roots[number], number * per_gram
            gram = root @ root.T
            prepared[number] = _Prepared(gram, None)
            # No more points are active than there are directions.
            if min(np.count_nonzero(root.any(axis=0)), max_steps) <= FEW_ADDED:
                continue
            one_by_one(number, 0, 1, FEW_ADDED)
            slack = linears[place] - weights[place] @ gram
            if np.any((weights[place] == 0) & (signs[place] * slack > 2 * tol)):
                own = slice(place, place + per_gram)
                prepared[number] = _Prepared(gram, guess_active(root, linears[own], signs[own]))

    on_threads(prepare, len(roots))
    parts = [
        (number, first, min(first + TOGETHER, per_gram))
        for number in range(len(roots))
        for first in range(0, per_gram, TOGETHER)
    ]

    def solve(first_part, last_part):
        for number, first, last in parts[first_part:last_part]:
            gram, guess = prepared[number]
            if guess is None:
                one_by_one(number, first, last)
                continue
            own = slice(number * per_gram + first, number * per_gram + last)
            active = guess(first, last)
            arguments = (gram, linears[own], signs[own], active, tol, least_pivot)
            solved = solve_from_guess(*arguments, weights[own])
            for program in np.flatnonzero(~solved):
                one_by_one(number, first + program, first + program + 1)

    on_threads(solve, len(parts))
    own = weights.reshape(len(roots), per_gram, -1)
    shown = own @ roots
    slack = (shown @ roots.transpose(0, 2, 1)).reshape(weights.shape) - linears
    gaps = np.where(signs == 0, 0, np.minimum(signs * weights, signs * slack))
    return np.sum(shown**2, axis=2).ravel(), np.max(np.abs(gaps), axis=1)


def _inside(roots, linears, rounding):
    found = linears.reshape(len(roots), -1, linears.shape[-1])
    values = np.einsum("kij,kij->kj", roots, roots)[:, None]
    coordinates = np.divide(found @ roots, values, out=np.zeros((*found.shape[:2], roots.shape[-1])), where=values > 0)
    inside = coordinates @ roots.transpose(0, 2, 1)
    # More than rounding is a margin.
    off, size = (np.max(np.abs(each), axis=2, keepdims=True) for each in (found - inside, found))
    return np.where(off <= rounding * size, inside, found).reshape(linears.shape)


def guess_active(
    root: Float[np.ndarray, "M D"], linear: Float[np.ndarray, "n M"], signs: Float[np.ndarray, "n M"]
) -> Callable[[int, int], Bool[np.ndarray, "_ M"]]:
    """Guesses the active points of the programs of `host.solve_programs`, from `first` to `last`.

    Over-relaxed ADMM on the split b = z, z of the signs' signs. Its penalty is the geometric mean of the eigenvalues
    of K = B B': with it a few dozen steps are enough whether points share directions or not.

    Args:
      root: B, with orthogonal columns, of zeros where there is no direction.
      linear: h.
      signs: of -1, 0 and 1.

    References:
      Boyd et al. 2011, Distributed optimization via ADMM, section 3.4.3.
    """
    values = np.einsum("ij,ij->j", root, root)
    penalty = np.float32(np.exp(np.mean(np.log(values[values > 0]))))
    scaled = (root / np.sqrt(values + penalty)).astype(np.float32)
    inverse = (np.eye(len(root), dtype=np.float32) - scaled @ scaled.T) / penalty

    def guess(first, last):
        own, sign = linear[first:last].astype(np.float32), signs[first:last].astype(np.float32)
        weights, dual = np.zeros_like(own), np.zeros_like(own)
        for _ in range(STEPS):
            free = (own + penalty * (weights - dual)) @ inverse
            dual += np.float32(RELAXATION) * free + np.float32(1 - RELAXATION) * weights
            weights = np.where(dual * sign > 0, dual, 0)
            dual -= weights
        return weights != 0

    return guess


def solve_from_guess(
    gram: Float[np.ndarray, "M M"],
    linear: Float[np.ndarray, "n M"],
    signs: Float[np.ndarray, "n M"],
    active: Bool[np.ndarray, "n M"],
    tol: float,
    least_pivot: float,
    weights: Float[np.ndarray, "n M"],
) -> Bool[np.ndarray, " n"]:
    """Solves programs whose active points are known but for a few; returns which are solved.

    All active points of the wrong sign are dropped and all violated ones added, until none is violated by more than
    `tol`. Arguments are those of `host.solve_programs`; `active` is changed.

    References:
      Portugal, Judice & Vicente 1994, A comparison of block pivoting and interior-point algorithms.
    """
    solved, left = np.zeros(len(linear), bool), np.arange(len(linear))
    weights[...] = 0
    for _ in range(MOST_ROUNDS):
        for program in left:
            points = np.flatnonzero(active[program])
            weights[program] = 0
            weights[program, points] = _solution(gram, points, linear[program], least_pivot)
        slack = linear[left] - weights[left] @ gram
        own, sign = active[left], signs[left]
        wrong = own & ~(sign * weights[left] > 0)
        violated = ~own & (sign * slack > tol)
        exact = np.max(np.abs(slack), axis=1, where=own, initial=0) <= tol
        change = wrong | violated
        done = ~np.any(change, axis=1)
        solved[left[done]] = exact[done]
        active[left] = own ^ change
        # What cannot be solved exactly has points that depend on one another.
        left = left[~done & exact]
        if not len(left):
            break
    return solved


def _solution(gram, points, linear, least_pivot):
    """K_aa^-1 h_a; NaN where an active point depends on others, and there is no end to what its weight may be."""
    block = np.empty((len(points), len(points)))
    host.gather(gram, points, block)
    try:
        # Symmetric; this way around LAPACK needs no copy.
        factor = scipy.linalg.cho_factor(block.T, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return np.nan
    if len(points) and np.min(np.diagonal(factor[0])) ** 2 <= least_pivot:
        return np.nan
    return scipy.linalg.cho_solve(factor, linear[points], check_finite=False)
