import numpy as np
import pytest
from scipy.stats import binom

from memorize_jax.geometry.theory.threshold import fit_threshold


def perceptron(num_points):
    """Cover: the share of dichotomies of points in general position that separate, whose n* is P / 2 - 1."""
    return lambda n: binom.cdf(n, num_points - 1, 0.5)


def saturating(n):
    """Some dichotomies separate at no number of features."""
    return 0.62 / (1 + np.exp(-(np.asarray(n) - 40) / 4))


@pytest.mark.parametrize(
    ("share", "tried", "truth"),
    [
        (perceptron(40), [10, 15, 18, 20, 21, 28], 19),
        (perceptron(100), [30, 45, 48, 51, 60], 49),
        (saturating, [20, 38, 44, 48, 60], 40 + 4 * np.log(0.5 / 0.12)),
    ],
)
def test_two_errors_hold_the_truth(share, tried, truth):
    rng, tested = np.random.default_rng(0), np.full(len(tried), 40)
    fits = [fit_threshold(tried, rng.binomial(tested, share(tried)), tested) for _ in range(100)]
    found, errors = (np.array([getattr(fit, name) for fit in fits]) for name in ("num_features", "error"))
    assert np.mean(np.abs(found - truth) <= 2 * errors) >= 0.93
    np.testing.assert_allclose(np.mean(found), truth, rtol=0.03)
    assert np.mean(errors) < 2.5 * np.std(found)


def test_unanimous_trials_leave_the_threshold_between_them():
    fit = fit_threshold([5, 8], [0, 10], [10, 10])
    assert 5 < fit.num_features < 8
    assert fit.num_features - 5 < 3 * fit.error


def test_a_curve_that_does_not_fit_widens_the_error():
    tried, tested = [10, 12, 14, 16, 18, 20], np.full(6, 400)
    smooth, rough = (
        fit_threshold(tried, np.array(found) * 4, tested)
        for found in ([20, 30, 43, 57, 70, 80], [20, 60, 30, 70, 45, 80])
    )
    assert smooth.misfit < 1 < rough.misfit
    assert rough.error > 3 * smooth.error


def test_slope_is_that_of_the_log_odds():
    tried = np.array([12, 16, 20, 24, 28])
    share = 1 / (1 + np.exp(-8 * (tried / 20 - 1)))
    fit = fit_threshold(tried, 4000 * share, np.full(5, 4000))
    np.testing.assert_allclose([fit.num_features, fit.slope], [20, 8], rtol=0.03)
