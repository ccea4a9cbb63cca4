"""Figures 4C-E: accuracy and geometry of networks of growing width."""

import numpy as np
import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable, not_memorized
from memorize_jax.claims.geometries import MEAN_FIELD
from memorize_jax.claims.manifolds import TENTH
from memorize_jax.claims.shapes import LEAST_ACCURACY, RANGE, TWO_POINTS, descents, moves, reversal
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating

# Falling, rising and falling takes four.
FEWEST_WIDTHS = 4
# Moves of the dimension that count, in units of its mean: twice what other examples of the classes move it.
LEAST_DIMENSION = 0.05


def second_fall(curves: np.ndarray, least: float) -> np.ndarray:
    """How far curves fall, rise and fall again: the three moves, between the widths where their mean does so most.

        x_i - x_j, x_k - x_j, x_k - x_l    in units of max(least, (max x - min x) / 10)

        i <= j <= k <= l: those where the least of the three moves of x, the mean over seeds, is largest

    Args:
      curves: [seeds, n] in order of width.
      least: smallest move that counts.

    Returns:
      [seeds, 3]; all zero where the mean never falls again.
    """
    mean = curves.mean(axis=0)
    return moves(curves, descents(mean)) / max(least, NOTICEABLE * np.ptp(mean))


def _curve(evidence: Evidence, moment: str, column: str) -> pd.Series:
    table = evidence.tables["double_descent"].sort_values("width")
    widths = table["width"].nunique()
    if widths < FEWEST_WIDTHS:
        raise NotTestable(f"{widths} widths are too few; train at least {FEWEST_WIDTHS} with --widths")
    last = table[table["moment"] == "final"].iloc[-1]
    if np.isnan(last["permuted_accuracy"]):
        raise NotTestable("no label was permuted")
    if reason := not_memorized(last["permuted_accuracy"], last["restored_accuracy"], "the widest network"):
        raise NotTestable(reason)
    curve = table[table["moment"] == moment].set_index("width")[column]
    if not np.isfinite(curve).all():
        raise NotTestable(f"no {column} for some width at the {moment} epoch")
    return curve


def _together(curves: list[pd.Series]) -> np.ndarray:
    if any(list(curve.index) != list(curves[0].index) for curve in curves):
        raise NotTestable("the seeds do not have the same widths")
    return np.stack([curve.to_numpy() for curve in curves])


def _accuracy_falls_last(curves: list[pd.Series]) -> np.ndarray:
    # The error falls, rises and falls.
    return second_fall(1 - _together(curves), LEAST_ACCURACY)


def _dimension_falls_last(curves: list[pd.Series]) -> np.ndarray:
    together = _together(curves)
    return second_fall(together, LEAST_DIMENSION * together.mean())


def _reversal(evidence: Evidence, moment: str, *columns: str) -> float:
    return max(reversal(_curve(evidence, moment, column).to_numpy()) for column in columns)


MOVES = (
    "least of the three moves of the mean curve over seeds, in units of {} or of a tenth of its range if that is more"
)
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("double_descent",), axes=("width",))
of_geometry = stating(STATEMENTS, needs=("double_descent",), axes=("width",), by=MEAN_FIELD, every_seed=True)


@stated(
    "4C",
    "Final test accuracy rises, falls and rises again with width.",
    MOVES.format("two points"),
    above(1, TWO_POINTS),
    over_seeds=_accuracy_falls_last,
)
def _accuracy_descends_twice(evidence):
    return _curve(evidence, "final", "test_accuracy")


@of_geometry(
    "4D",
    "Radius and center correlation of test manifolds at the final epoch are monotonic in width.",
    "largest move against the direction of the curve, in units of its range; of the two curves the larger",
    below(NOTICEABLE, RANGE),
)
def _radius_and_correlation_monotonic(evidence):
    return _reversal(evidence, "final", "radius", "center_correlation")


@of_geometry(
    "4C-E",
    "Where test accuracy falls with width, radius and center correlation of test manifolds are unchanged.",
    "range at the final epoch between these widths, relative to the mean there; of the two curves the larger",
    below(NOTICEABLE, TENTH),
)
def _radius_and_correlation_unchanged(evidence):
    error = 1 - _curve(evidence, "final", "test_accuracy").to_numpy()
    _, low, high, _ = turns = descents(error)
    if not moves(error, turns).min() > LEAST_ACCURACY:
        raise NotTestable("final test accuracy does not descend twice: there is no region of descent")
    curves = [_curve(evidence, "final", column).to_numpy() for column in ("radius", "center_correlation")]
    return max(float(np.ptp(own[low : high + 1]) / own[low : high + 1].mean()) for own in curves)


@stated(
    "4E",
    "The dimension of test manifolds at the final epoch falls, rises and falls again with width.",
    MOVES.format("5 % of its mean"),
    above(1, "smaller moves are noise: 5 % are twice what other examples of the classes move it (2.5 %)"),
    by=MEAN_FIELD,
    over_seeds=_dimension_falls_last,
)
def _dimension_descends_twice(evidence):
    return _curve(evidence, "final", "dimension")


@of_geometry(
    "4D-E",
    "At the best epoch radius, center correlation and dimension are monotonic in width.",
    "largest move against the direction of the curve, in units of its range; of the three curves the largest",
    below(NOTICEABLE, RANGE),
)
def _best_epoch_monotonic(evidence):
    return _reversal(evidence, "best", "radius", "center_correlation", "dimension")
