"""The number of features at which half of the dichotomies separate: a curve through the trials, and its error."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, logit, xlogy
from scipy.stats import t as student

# Slopes that a curve may have, in units of 1 / n*, and the likely one: P random points have 1.6 sqrt(P), classes that
# vary along the same directions less.
SLOPES, LIKELY_SLOPE = (1, 200), 10
# The share that a curve tends to: some dichotomies may separate at no number of features. As likely as not all do.
CEILINGS = np.array([0.53, 0.56, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0])
LIKELIHOOD_OF_CEILINGS = -np.log([14.0] * 7 + [2.0])
# Thresholds and slopes of a grid.
GRID = 61, 17


class Threshold(NamedTuple):
    """Fit of share = q / (1 + (2 q - 1) exp(-slope (n / n* - 1))), which is 1/2 at n*, to the trials."""

    num_features: float  # n*
    error: float  # its standard error
    slope: float  # of log(share / (q - share)) against log n, at n*
    misfit: float  # deviance per degree of freedom, about 1 for a curve that fits


def fit_threshold(tried: ArrayLike, separable: ArrayLike, tested: ArrayLike) -> Threshold:
    """Fits the share of separable dichotomies against the number of features.

    All outcomes are independent, as every dichotomy has a projection of its own. The fit is the mean over thresholds,
    slopes and ceilings q, weighted by how likely they make the outcomes: it needs no slope that trials do not show. Its
    error is widened by the misfit, where that is above 1, and for few trials as Student's t asks for, so that two of
    them cover 95 %.
    """
    n, found, tested = (np.asarray(values, float) for values in (tried, separable, tested))
    thresholds, slopes = np.linspace(0.7 * n.min(), 1.4 * n.max(), GRID[0]), np.geomspace(*SLOPES, GRID[1])
    for refining in (True, False):
        # [thresholds, slopes, ceilings, trials]
        odds = slopes[:, None, None] * (n / thresholds[:, None, None, None] - 1) + logit(0.5 / CEILINGS)[:, None]
        odds = np.clip(odds, -500, 500)
        likelihood = found * (log_expit(odds) + np.log(CEILINGS)[:, None])
        likelihood += (tested - found) * np.log(1 - CEILINGS[:, None] + CEILINGS[:, None] * expit(-odds))
        weights = np.sum(likelihood, axis=-1) + LIKELIHOOD_OF_CEILINGS
        weights -= 0.5 * np.log(slopes / LIKELY_SLOPE)[:, None] ** 2
        weights = np.exp(weights - weights.max())
        weights /= weights.sum()
        middle, error = _moments(np.sum(weights, axis=(1, 2)), thresholds)
        log_slope, spread = _moments(np.sum(weights, axis=(0, 2)), np.log(slopes))
        if refining:
            # A second grid resolves what the first one found.
            reach, reach_of_slopes = 5 * max(error, thresholds[1] - thresholds[0]), 3 * max(spread, 0.3)
            thresholds = np.linspace(max(middle - reach, 0.5 * middle), middle + reach, GRID[0])
            slopes = np.exp(np.linspace(log_slope - reach_of_slopes, log_slope + reach_of_slopes, GRID[1]))
    # At the weights' own grid, the last.
    shares = CEILINGS[:, None] * expit(odds)
    share, missed = np.clip(np.einsum("tsq,tsqn->n", weights, shares), 1e-9, 1 - 1e-9), tested - found
    deviance = 2 * np.sum(xlogy(found, found / (tested * share)) + xlogy(missed, missed / (tested * (1 - share))))
    freedom = max(len(n) - 2, 1)
    error *= np.sqrt(max(deviance / freedom, 1)) * student.ppf(0.97725, freedom) / 2
    return Threshold(float(middle), float(error), float(np.exp(log_slope)), float(deviance / freedom))


def _moments(weights, values):
    """Mean and standard deviation."""
    mean = np.sum(weights * values)
    return mean, np.sqrt(np.sum(weights * (values - mean) ** 2))
