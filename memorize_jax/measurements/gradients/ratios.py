"""Ratios of the parts of the gradient over layers."""

from typing import NamedTuple

import numpy as np
import pandas as pd

Part = tuple[str, str]
U_DEP, U_IND, P_DEP, P_IND = ((group, part) for group in ("unpermuted", "permuted") for part in ("dep", "ind"))
# Letter of figure 5 -> what it is a ratio of: (group, part) of the numerator and of the denominator.
RATIOS = {"d": (U_DEP, U_IND), "e": (P_DEP, P_IND), "f": (U_DEP, P_DEP), "g": (U_IND, P_IND)}


class RatioRange(NamedTuple):
    """A ratio of squared norms over the layers of a network at one epoch: its extremes, and where they are."""

    epoch: int
    low: float
    low_layer: str
    high: float
    high_layer: str
    num_above_one: int
    num_layers: int


def ratio_range(gradients: pd.DataFrame, epoch: int, above: Part, below: Part) -> RatioRange | None:
    """Compares two parts of the gradient in every layer, as figure 5D-F does; None if a norm is zero or missing.

    Args:
      gradients: rows of one run and one form.
      above: (group, part) of the numerator, e.g. ("unpermuted", "dep").
      below: of the denominator.
    """
    rows = gradients[gradients["epoch"] == epoch].set_index("layer")
    chosen = ((rows["group"] == group) & (rows["part"] == part) for group, part in (above, below))
    norms = [rows.loc[own, "squared_norm"] for own in chosen]
    ratio = (norms[0] / norms[1]).replace([np.inf, -np.inf], np.nan)
    if ratio.empty or ratio.isna().any():
        return None
    extremes = (float(ratio.min()), str(ratio.idxmin()), float(ratio.max()), str(ratio.idxmax()))
    return RatioRange(epoch, *extremes, int((ratio > 1).sum()), len(ratio))


def is_weighted(gradients: pd.DataFrame) -> bool:
    """Whether groups have the share of their examples as a factor, its square in squared norms; rows of any runs."""
    return bool((gradients["weighting"] != "subset").any())
