"""Figures 4C-E: accuracy and geometry of networks of growing width."""

import functools
import itertools

import numpy as np

from memorize_jax.analysis.claims.evidence import MEMORIZED, Evidence, NotTestable
from memorize_jax.analysis.claims.statement import NOTICEABLE, Statement, Threshold

# Falling, rising and falling takes four.
FEWEST_WIDTHS = 4


def second_fall(values: np.ndarray) -> float:
    """How clearly a curve falls, rises and falls again.

        max over i < j < k < l of min(x_i - x_j, x_k - x_j, x_k - x_l) / (max x - min x)

    Args:
      values: [n] in order.

    Returns:
      0 if the curve never does, at most 1.
    """
    spread = np.ptp(values)
    if not spread > 0:
        return 0.0
    turns = (min(a - b, c - b, c - d) for a, b, c, d in itertools.combinations(values, 4))
    return float(max(*turns, 0) / spread)


def reversal(values: np.ndarray) -> float:
    """How far a curve goes against its own direction.

        min(largest rise, largest fall) / (max x - min x)

    Args:
      values: [n] in order.

    Returns:
      0 for a monotonic curve, at most 1.
    """
    spread = np.ptp(values)
    if not spread > 0:
        return 0.0
    steps = [later - earlier for earlier, later in itertools.combinations(values, 2)]
    return float(max(min(max(steps), -min(steps)), 0) / spread)


def _curve(evidence: Evidence, moment: str, column: str) -> np.ndarray:
    table = evidence.tables["double_descent"].sort_values("width")
    widths = table["width"].nunique()
    if widths < FEWEST_WIDTHS:
        raise NotTestable(f"{widths} widths are too few; train at least {FEWEST_WIDTHS} with --widths")
    last = table[table["moment"] == "final"].iloc[-1]
    if np.isnan(last["permuted_accuracy"]):
        raise NotTestable("no label was permuted")
    if last["permuted_accuracy"] < MEMORIZED:
        raise NotTestable(
            f"training ended before the widest network memorised: {last['permuted_accuracy']:.0%} of the permuted "
            "examples carry their assigned label"
        )
    curve = table[table["moment"] == moment][column].to_numpy()
    if not np.isfinite(curve).all():
        raise NotTestable(f"no {column} for some width at the {moment} epoch")
    return curve


def _second_fall(evidence: Evidence, column: str, sign: int) -> float:
    return second_fall(sign * _curve(evidence, "final", column))


def _reversal(evidence: Evidence, moment: str, columns: tuple[str, ...]) -> float:
    return max(reversal(_curve(evidence, moment, column)) for column in columns)


RANGE = "a tenth of the curve's range: smaller turns are noise"
NEEDS = ("double_descent",)
STATEMENTS = (
    Statement(
        "accuracy_descends_twice",
        "4C",
        "Final test accuracy rises, falls and rises again with width.",
        "least of the three moves, in units of the curve's range",
        Threshold(">", NOTICEABLE),
        RANGE,
        functools.partial(_second_fall, column="test_accuracy", sign=-1),
        needs=NEEDS,
    ),
    Statement(
        "radius_and_correlation_monotonic",
        "4D",
        "Radius and centre correlation of test manifolds at the final epoch are monotonic in width.",
        "largest move against the direction of the curve, in units of its range; of the two curves the larger",
        Threshold("<", NOTICEABLE),
        RANGE,
        functools.partial(_reversal, moment="final", columns=("radius", "center_correlation")),
        needs=NEEDS,
    ),
    Statement(
        "dimension_descends_twice",
        "4E",
        "The dimension of test manifolds at the final epoch falls, rises and falls again with width.",
        "least of the three moves, in units of the curve's range",
        Threshold(">", NOTICEABLE),
        RANGE,
        functools.partial(_second_fall, column="dimension", sign=1),
        needs=NEEDS,
    ),
    Statement(
        "best_epoch_monotonic",
        "4D-E",
        "At the best epoch radius, centre correlation and dimension are monotonic in width.",
        "largest move against the direction of the curve, in units of its range; of the three curves the largest",
        Threshold("<", NOTICEABLE),
        RANGE,
        functools.partial(_reversal, moment="best", columns=("radius", "center_correlation", "dimension")),
        needs=NEEDS,
    ),
)
