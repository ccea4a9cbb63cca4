"""Shapes that several statements ask about: early and late layers, curves that turn."""

import itertools
from collections.abc import Sequence

import numpy as np

# A curve whose range is less than this share of its mean is flat.
FLAT = 0.02
# Why a reversal counts from a tenth on.
RANGE = "a tenth of the curve's range: smaller turns are noise; a curve within 2 % of its mean is flat, with no turns"


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
