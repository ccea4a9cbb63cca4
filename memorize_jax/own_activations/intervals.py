"""Interval of a measure by other choices of examples, other draws, and sets of examples that share none."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

LEVEL = 0.95


class Interval(NamedTuple):
    """Interval of a measure, for each layer.

    Attributes:
      value: mean over the repeats, which the interval is about.
      low: its end at 95 %; NaN where it cannot be had.
      high: likewise.
      standard_error: of the value; likewise.
    """

    value: Float[np.ndarray, "*L"]
    low: Float[np.ndarray, "*L"]
    high: Float[np.ndarray, "*L"]
    standard_error: Float[np.ndarray, "*L"]


def interval_of(
    repeated: Float[np.ndarray, "R ..."],
    parts: Float[np.ndarray, "B k ..."],
    overlap: float | Float[np.ndarray, " P"],
    share: float | Float[np.ndarray, " P"] = 1.0,
) -> Interval:
    """Finds the interval of what a measure is on average over fresh examples and draws.

        variance of the mean = s2/R + overlap v,   v = share mean_b var_j y_bj

    with s2 the variance of the R repeats. Repeats that share no example are independent: s2/R is all there is. The same
    examples measured by other draws show in s2 only the draws; what the examples add is v, the variance of one
    measurement, from k sets of examples that share none, measured by the same draws. In between, two repeats covary, to
    first order, by the part of v that their overlap is. Student's t, with degrees of freedom by Satterthwaite.

    Args:
      repeated: of every repeat, each by its own examples and draws.
      parts: of k sets of examples, in B rounds.
      overlap: share of their examples that two different repeats have in common on average (`overlap_of`).
      share: what the variance of a set is to be taken times, where sets are smaller than repeats.

    References:
      Hoeffding 1948 (what is additive in the examples); Satterthwaite 1946.
    """
    repeated, parts = np.asarray(repeated, float), np.asarray(parts, float)
    num_repeats, (rounds, num_parts) = len(repeated), parts.shape[:2]
    of_choice = repeated.var(axis=0, ddof=1) / num_repeats
    of_examples = overlap * share * parts.var(axis=1, ddof=1).mean(axis=0)
    variance = of_choice + of_examples
    # Where nothing varies there is no ratio to take.
    portions = [
        np.where(variance == 0, 1, of / np.where(variance == 0, 1, variance)) for of in (of_choice, of_examples)
    ]
    freedom = 1 / (portions[0] ** 2 / (num_repeats - 1) + portions[1] ** 2 / (rounds * (num_parts - 1)))
    value, error = repeated.mean(axis=0), np.sqrt(variance)
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    return Interval(value, value - half, value + half, error)


def overlap_of(choices: Sequence[Mapping[Any, Int[np.ndarray, " _"]]]) -> Float[np.ndarray, " P"]:
    """Share of the examples of a class in one repeat that another repeat has too, on average over pairs of repeats."""
    pairs, shares = len(choices) * (len(choices) - 1), []
    for label, first in choices[0].items():
        _, times = np.unique(np.concatenate([own[label] for own in choices]), return_counts=True)
        shares.append(np.sum(times * (times - 1)) / (pairs * len(first)))
    return np.array(shares)
