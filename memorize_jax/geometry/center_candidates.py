"""Candidates for the directions that centers share, judged in float64 on the host."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from memorize_jax.geometry.center_search import COST_BAND, LEAST_RETAINED, LEAST_SQUARE, TIE, rounding_of

# Steps of the power method that finds the next direction: it need not be exact to begin with.
POWER_STEPS = 16


class Centers(NamedTuple):
    """Centers about their mean, in the unit of their mean square, in the axes of their principal components."""

    gram: Float[np.ndarray, "P P"]  # G without what is only rounding
    root: Float[np.ndarray, "P P"]  # root @ root.T = G; axes beyond the rank are zero
    axes: Float[np.ndarray, "P P"]  # eigenvectors of G, decreasing; zero beyond the rank
    combinations: Float[np.ndarray, "P P"]  # of centers, in their own unit, that lie along these axes
    given: Float[np.ndarray, " P"]  # squares of the centers; 0 for one that is only rounding
    bound: int  # largest K that leaves the centers a direction: the rank of G minus 1
    rounding: float  # share of the largest square below which there is no vector


class Found(NamedTuple):
    """Directions to remove, and what is left."""

    directions: Float[np.ndarray, "K P"]  # orthonormal rows in the axes of `Centers`
    value: float  # what was minimized: the cost and a penalty
    cost: float  # 1/2 sum of cos^2 over all pairs
    retained: float  # least share of its norm that a center keeps
    correlation: float  # mean |cos|


def decompose(gram: Float[np.ndarray, "P P"], precision: float) -> Centers:
    """Brings centers, given by inner products of that relative precision about any origin, into their axes."""
    num = len(gram)
    centering = np.eye(num) - 1 / num
    centered = centering @ gram @ centering
    unit = np.trace(centered) / num
    unit = unit if unit > 0 else 1.0
    values, vectors = np.linalg.eigh(centered / unit)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > rounding_of(num) * precision * values[0]
    scales, axes = np.sqrt(np.where(kept, values, 1)), np.where(kept, vectors, 0)
    root = axes * scales
    gram = root @ root.T
    squares = np.diagonal(gram)
    given = np.where(squares > 10 * precision * squares.max(), squares, 0)
    combinations = centering @ (axes / scales) / unit**0.5
    return Centers(gram, root, axes, combinations, given, max(int(kept.sum()) - 1, 0), 10 * precision)


def residual_of(centers: Centers, directions: Float[np.ndarray, "K P"]) -> Float[np.ndarray, "P P"]:
    """Inner products of what orthonormal directions leave of the centers."""
    overlap = directions @ centers.root.T
    return centers.gram - overlap.T @ overlap


def judged(centers: Centers, directions: Float[np.ndarray, "K P"], value: float = np.inf) -> Found:
    """Computes what orthonormal directions leave."""
    residual = residual_of(centers, directions)
    squares = np.diagonal(residual)
    scale = 1 / np.sqrt(np.maximum(squares, LEAST_SQUARE))
    cosines = np.abs(residual * scale * scale[:, None])
    there = squares > centers.rounding * squares.max()
    pairs = cosines[np.ix_(there, there)]
    num_pairs = len(pairs) * (len(pairs) - 1)
    correlation = (pairs.sum() - np.trace(pairs)) / num_pairs if num_pairs else np.nan
    shares = squares[centers.given > 0] / centers.given[centers.given > 0]
    retained = np.sqrt(max(shares.min(initial=1.0), 0))
    return Found(directions, value, float(0.5 * np.sum(cosines**2)), float(retained), float(correlation))


def choose(candidates: Sequence[Found]) -> tuple[Found, bool]:
    """Chooses the most stable of those whose cost is close to the lowest, and tells whether every center survives."""
    costs = np.array([each.cost for each in candidates])
    retained = np.array([each.retained for each in candidates])
    usable = np.isfinite(costs) & (retained >= min(LEAST_RETAINED) / 2)
    eligible = usable if usable.any() else np.isfinite(costs)
    lowest = np.min(costs, where=eligible, initial=np.inf)
    close = eligible & (costs <= (1 + COST_BAND) * lowest)
    # Those that end at the same share differ only by rounding, which shall not choose: of these the lowest cost.
    stable = close & (retained >= np.max(retained, where=close, initial=-np.inf) - TIE)
    chosen = int(np.argmin(np.where(stable, costs, np.inf)))
    return candidates[chosen], bool(usable[chosen])


def next_direction(centers: Centers, directions: Float[np.ndarray, "K P"]) -> Float[np.ndarray, "1 P"]:
    """The direction, of unit length, in which what is left of the centers, each of unit length, varies most.

    It is that of the leading eigenvector u of the cosines, X' (u / |x|), by the power method from the center that has
    most in common with others.
    """
    residual = residual_of(centers, directions)
    scale = 1 / np.sqrt(np.maximum(np.diagonal(residual), LEAST_SQUARE))
    cosines = residual * scale * scale[:, None]
    vector = cosines[np.argmax(np.sum(cosines**2, axis=1))]
    for _ in range(POWER_STEPS):
        vector = cosines @ vector
        vector /= max(np.linalg.norm(vector), np.finfo(float).tiny)
    along = centers.root.T @ (scale * vector)
    along -= directions.T @ (directions @ along)
    return (along / max(np.linalg.norm(along), np.finfo(float).tiny))[None]


def random_starts(centers: Centers, draws: Float[np.ndarray, "R P _"], number: int) -> list[Float[np.ndarray, "K P"]]:
    """K rows of each draw, standard normal within the span of the centers; the first are the principal components."""
    starts = [draw[:, :number].T @ centers.axes for draw in draws]
    return [np.eye(number, len(centers.gram)), *starts[1:]]


def share_of(place: int) -> float:
    """The least share of a center that the start in this place keeps: they take turns."""
    return LEAST_RETAINED[place % len(LEAST_RETAINED)]


def lowest_of_shares(candidates: Sequence[Found]) -> list[Found]:
    """Of candidates whose shares take turns, the one of lowest value for each share."""
    turns = [candidates[place :: len(LEAST_RETAINED)] for place in range(len(LEAST_RETAINED))]
    return [min(own, key=lambda each: each.value) for own in turns]
