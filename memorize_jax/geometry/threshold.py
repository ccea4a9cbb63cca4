"""The number of features at which half of the dichotomies separate: a logistic curve through trials, and its error."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, xlogy
from scipy.stats import t as student

# Slopes that a curve may have, in units of 1 / n*, and what is thought likely before the trials: P random points have
# 1.6 sqrt(P), classes that vary along the same directions less.
SLOPES = np.geomspace(1, 200, 25)
LIKELY_SLOPE, SPREAD_OF_SLOPES = 10, 1.0
GRID = 61


class Threshold(NamedTuple):
    """Fit of share = 1 / (1 + exp(-slope (n / n* - 1))) to the trials.

    Attributes:
      num_features: n*.
      error: its standard error.
      slope: at n*, of the log odds against the logarithm of n.
      misfit: deviance per degree of freedom, about 1 for a curve that fits.
    """

    num_features: float
    error: float
    slope: float
    misfit: float


def fit_threshold(tried, separable, tested) -> Threshold:
    """Fits the share of separable dichotomies against the number of features.

    All outcomes are independent, as every dichotomy has a projection of its own. The fit is the mean over all
    thresholds and slopes, weighted by how likely they make the outcomes: it needs no slope that trials do not show. Its
    error is widened by the misfit, where that is above 1, and for few trials as Student's t asks for, so that two of
    them cover 95 %.

    Args:
      tried: [trials], numbers of features.
      separable: [trials], number of separable dichotomies.
      tested: [trials], number of dichotomies.

    Returns:
      Threshold.
    """
    n, found, tested = (np.asarray(values, float) for values in (tried, separable, tested))
    low, high = 0.7 * n.min(), 1.4 * n.max()
    prior = -0.5 * (np.log(SLOPES / LIKELY_SLOPE) / SPREAD_OF_SLOPES) ** 2
    # A second grid resolves what the first one found.
    for _ in range(2):
        thresholds = np.linspace(low, high, GRID)
        odds = SLOPES[:, None] * (n / thresholds[:, None, None] - 1)
        likelihood = prior + np.sum(found * log_expit(odds) + (tested - found) * log_expit(-odds), axis=-1)
        weights = np.exp(likelihood - likelihood.max())
        weights /= weights.sum()
        middle = np.sum(weights * thresholds[:, None])
        error = np.sqrt(np.sum(weights * (thresholds[:, None] - middle) ** 2))
        reach = 5 * max(error, thresholds[1] - thresholds[0])
        low, high = max(middle - reach, 0.5 * middle), middle + reach
    slope = np.exp(np.sum(weights * np.log(SLOPES)))
    share = np.clip(expit(slope * (n / middle - 1)), 1e-9, 1 - 1e-9)
    missed = tested - found
    deviance = 2 * np.sum(xlogy(found, found / (tested * share)) + xlogy(missed, missed / (tested * (1 - share))))
    freedom = max(len(n) - 2, 1)
    misfit = deviance / freedom
    error *= np.sqrt(max(misfit, 1)) * student.ppf(0.97725, freedom) / 2
    return Threshold(float(middle), float(error), float(slope), float(misfit))
