"""How well a score finds what is looked for: the area under the ROC curve, with its interval."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats


class Auroc(NamedTuple):
    """Area under the ROC curve, and the ends of its interval; NaN where there is none."""

    auroc: float
    low: float
    high: float


def auroc(scores: Float[np.ndarray, " n"], is_positive: Bool[np.ndarray, " n"], *, level: float = 0.95) -> Auroc:
    """The probability that a positive example has a higher score than a negative one, ties counting half.

    With R_i the rank of an example among all, and r_i among those of its kind (mean ranks where scores are tied),

        V_i = (R_i - r_i) / n_0 for positives,  V_j = 1 - (R_j - r_j) / n_1 for negatives,
        AUROC = mean V_i,  variance = var(V_i) / n_1 + var(V_j) / n_0

    (DeLong, DeLong & Clarke-Pearson 1988, computed as Sun & Xu 2014). The interval is the normal one, cut at 0 and 1.
    All is NaN where a score is, or one kind is missing; the interval also where its variance is 0, as when all pairs
    are in order: that says nothing of how far the AUROC is from 1. ValueError for what is not boolean, or other shapes.
    """
    scores, is_positive = np.asarray(scores), np.asarray(is_positive)
    if is_positive.dtype != bool or is_positive.shape != scores.shape or scores.ndim != 1:
        got = f"{list(scores.shape)} and {is_positive.dtype} {list(is_positive.shape)}"
        raise ValueError(f"expected scores [n] and booleans [n], got {got}; labels == 1 makes booleans of numbers")
    num_positive, num_negative = int(is_positive.sum()), int((~is_positive).sum())
    nan = float("nan")
    if not (num_positive and num_negative and np.isfinite(scores).all()):
        return Auroc(nan, nan, nan)
    ranks = stats.rankdata(scores)
    above = (ranks[is_positive] - stats.rankdata(scores[is_positive])) / num_negative
    below = 1 - (ranks[~is_positive] - stats.rankdata(scores[~is_positive])) / num_positive
    area = float(above.mean())
    if min(num_positive, num_negative) < 2:
        return Auroc(area, nan, nan)
    variance = above.var(ddof=1) / num_positive + below.var(ddof=1) / num_negative
    if variance == 0:
        return Auroc(area, nan, nan)
    half = float(stats.norm.ppf((1 + level) / 2) * np.sqrt(variance))
    return Auroc(area, max(area - half, 0.0), min(area + half, 1.0))
