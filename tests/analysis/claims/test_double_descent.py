import itertools

import numpy as np
import pytest

from memorize_jax.analysis.claims.double_descent import reversal, second_fall
from tests.analysis.claims.invented import assert_judged, edited, judged, study, widths, without

HELD = {
    # 0.3 up to 0.5, down to 0.4, up to 0.65: the fall is least; the range is 0.35.
    "accuracy_descends_twice": 0.1 / 0.35,
    # 10 down to 7, up to 9, down to 5; the range is 5.
    "dimension_descends_twice": 2 / 5,
    # The radius goes from 1.3 to 1.31; its range is 0.6.
    "radius_and_correlation_monotonic": 0.01 / 0.6,
    "best_epoch_monotonic": 0.01 / 0.6,
}


@pytest.mark.parametrize(("name", "value"), HELD.items())
def test_what_holds(name, value):
    assert_judged(name, widths(), "holds", value)


@pytest.mark.parametrize(
    ("name", "column", "value", "where", "measured"),
    [
        ("accuracy_descends_twice", "test_accuracy", 0.3, {"moment": "final", "width": 2}, 0.0),
        ("dimension_descends_twice", "dimension", 9.5, {"moment": "final", "width": 2}, 0.0),
        ("radius_and_correlation_monotonic", "center_correlation", 0.4, {"moment": "final", "width": 4}, 0.2 / 0.35),
        ("best_epoch_monotonic", "dimension", 10.0, {"moment": "best", "width": 8}, 4 / 4),
    ],
)
def test_what_does_not_hold(name, column, value, where, measured):
    assert_judged(name, edited(widths(), "double_descent", column, value, **where), "does not hold", measured)


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize(
    ("base", "reason"),
    [
        (study(), "these are not networks of several widths; train some with: python -m experiments.double_descent"),
        (without(widths(), "double_descent", width=(1, 2, 3)), "3 widths are too few"),
        (edited(widths(), "double_descent", "permuted_accuracy", np.nan, seed=0), "no label was permuted"),
        (edited(widths(), "double_descent", "permuted_accuracy", 0.2, width=8), "before the widest network memorised"),
    ],
)
def test_what_is_not_testable(name, base, reason):
    claim = judged(name, base)
    assert claim.verdict == "not testable"
    assert reason in claim.reason


def test_a_number_that_could_not_be_had_is_named():
    base = edited(widths(), "double_descent", "dimension", np.nan, moment="final", width=3)
    assert judged("dimension_descends_twice", base).reason == "no dimension for some width at the final epoch"


def test_a_monotonic_curve_neither_turns_nor_reverses():
    for curve in (np.arange(5.0), -np.arange(5.0), np.zeros(5)):
        assert reversal(curve) == 0
        assert second_fall(curve) == 0


@pytest.mark.parametrize("values", np.random.default_rng(0).normal(size=(5, 7)))
def test_both_measures_equal_loops_over_all_choices(values):
    n, spread = len(values), values.max() - values.min()
    turns = [
        min(values[i] - values[j], values[k] - values[j], values[k] - values[m])
        for i, j, k, m in itertools.product(range(n), repeat=4)
        if i < j < k < m
    ]
    assert second_fall(values) == pytest.approx(max(*turns, 0) / spread)
    # From the highest value so far down, or from the lowest so far up.
    fall = max(np.maximum.accumulate(values) - values)
    rise = max(values - np.minimum.accumulate(values))
    assert reversal(values) == pytest.approx(min(fall, rise) / spread)
    # Neither unit nor origin matters.
    assert reversal(3 * values + 1) == pytest.approx(reversal(values))
    assert second_fall(3 * values + 1) == pytest.approx(second_fall(values))
