"""Interval of a measure by other choices of examples, other draws, and examples left out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

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
    repeated: Float[np.ndarray, "R *L"], left_out: Float[np.ndarray, "B k *L"], overlap: float | Float[np.ndarray, "*L"]
) -> Interval:
    """Finds the interval of what a measure is on average over fresh examples and draws.

        variance of the mean = s2/R + overlap v,   v = (k-1)/k mean_b sum_j (y_bj - mean_j y_bj)^2

    with s2 the variance of the R repeats. Repeats that share no example are independent: s2/R is all there is. The same
    examples measured by other draws show in s2 only the draws; what the examples add is v, the variance of one
    measurement by the jackknife that leaves out one of k parts of every class, all by the same draws. In between, two
    repeats share a part of their examples, and to first order covary by that part of v. Student's t, with degrees of
    freedom by Satterthwaite.

    Args:
      repeated: of every repeat, each by its own examples and draws.
      left_out: of the first B repeats without one part of their examples.
      overlap: share of their examples that two different repeats have in common on average (`overlap_of`).

    References:
      Efron & Stein 1981; Shao & Wu 1989 (jackknife); Satterthwaite 1946.
    """
    repeated, left_out = np.asarray(repeated, float), np.asarray(left_out, float)
    (num_repeats, rounds, parts), value = (len(repeated), *left_out.shape[:2]), repeated.mean(axis=0)
    of_choice = repeated.var(axis=0, ddof=1) / num_repeats
    of_examples = overlap * (parts - 1) ** 2 / parts * left_out.var(axis=1, ddof=1).mean(axis=0)
    variance = of_choice + of_examples
    # Of two measurements without any spread there is no ratio to take.
    shares = [np.where(variance == 0, 1, of / np.where(variance == 0, 1, variance)) for of in (of_choice, of_examples)]
    freedom = 1 / (shares[0] ** 2 / (num_repeats - 1) + shares[1] ** 2 / (rounds * (parts - 1)))
    error = np.sqrt(variance)
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    return Interval(value, value - half, value + half, error)


def overlap_of(choices: Sequence[Mapping[int, Int[np.ndarray, " M"]]]) -> Float[np.ndarray, "P+1"]:
    """Share of the examples of one repeat that another one has too, on average over pairs: of each class, and of all.

    That of all classes is weighted by 1/M_c, as their variances would be if all classes were alike.
    """
    shares, weights = [], []
    pairs = len(choices) * (len(choices) - 1)
    for label, first in choices[0].items():
        _, times = np.unique(np.concatenate([own[label] for own in choices]), return_counts=True)
        shares.append(np.sum(times * (times - 1)) / (pairs * len(first)))
        weights.append(1 / len(first))
    return np.append(shares, np.average(shares, weights=weights))
