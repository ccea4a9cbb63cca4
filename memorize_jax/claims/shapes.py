"""Shapes that several statements ask about: early and late layers, curves that turn."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

# A curve whose range is less than this share of its mean is flat.
FLAT = 0.02
# Why a reversal counts from a tenth on.
RANGE = "a tenth of the curve's range: smaller turns are noise; a curve within 2 % of its mean is flat, with no turns"

# Moves of accuracy that count: four standard errors of an accuracy of one half on 10,000 images.
LEAST_ACCURACY = 0.02
TWO_POINTS = (
    "smaller moves are noise: two points are four standard errors of an accuracy on 10,000 images; with fewer images, "
    "or where seeds differ by a point, it takes several seeds"
)


def thirds(layers: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first and the last third of the hidden layers, at least one each: what "early" and "late" mean."""
    third = max(1, len(layers) // 3)
    return tuple(layers[:third]), tuple(layers[-third:])


def reversal(values: np.ndarray) -> float:
    """How far a curve goes against its own direction.

        min(largest rise, largest fall) / (max x - min x)

    0 for a monotonic curve and for a flat one, whose range is below `FLAT` of its mean; at most 1.
    """
    spread = np.ptp(values)
    if not spread > FLAT * abs(values.mean()):
        return 0.0
    steps = [later - earlier for earlier, later in itertools.combinations(values, 2)]
    return float(max(min(max(steps), -min(steps)), 0) / spread)


def descents(curve: Float[np.ndarray, " n"]) -> Int[np.ndarray, "4"]:
    """Finds the i <= j <= k <= l between which a curve falls, rises and falls again most.

        max over i <= j <= k <= l of min(x_i - x_j, x_k - x_j, x_k - x_l)

    Given j and k, the best i is the highest point before j and the best l the lowest after k. Of several such choices
    it gives the lowest j between i and k, and the highest k between j and l. Never falling again, all are 0.
    """
    before, after = np.maximum.accumulate(curve), np.minimum.accumulate(curve[::-1])[::-1]
    best, low, high = 0.0, 0, 0
    for j in range(len(curve)):
        least = np.minimum(np.minimum(curve[j:] - curve[j], curve[j:] - after[j:]), before[j] - curve[j])
        k = int(least.argmax())
        if least[k] > best:
            best, low, high = least[k], j, j + k
    if not best:
        return np.zeros(4, int)
    first, last = curve[: low + 1].argmax(), high + curve[high:].argmin()
    low = first + curve[first : high + 1].argmin()
    high = low + curve[low : last + 1].argmax()
    return np.array([first, low, high, high + curve[high:].argmin()])


def moves(curves: Float[np.ndarray, "*curves n"], turns: Int[np.ndarray, "4"]) -> Float[np.ndarray, "*curves 3"]:
    """How far curves fall, rise and fall again between four places."""
    first, low, high, last = (curves[..., turn] for turn in turns)
    return np.stack([first - low, high - low, high - last], axis=-1)
