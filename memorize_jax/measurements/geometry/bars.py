"""Bars of a single seed: how far its geometry is uncertain, and what a figure says of it."""

import numpy as np
import pandas as pd

from memorize_jax.figures.joint import KINDS
from memorize_jax.figures.style import groups_in

# Measure -> its standard errors, of the draws and of the choice of examples; they are independent.
ERRORS = {name: (f"{name}_standard_error", f"{name}_example_sd") for name in KINDS}
ERRORS |= {name: (f"{name}_example_sd",) for name in ("radius", "dimension")}


def standard_errors(rows: pd.DataFrame, measure: str) -> pd.Series:
    """The standard error of a measure, one of `ERRORS`, by layer; NaN where none of its parts is known."""
    squares = rows.set_index("layer")[list(ERRORS[measure])].astype(float) ** 2
    # The sum of no known parts would be 0 otherwise, an exact value.
    return np.sqrt(squares.sum(axis=1, min_count=1))


def bars_note(rows: pd.DataFrame) -> str:
    """What the bars are, to be written behind what is said of the seed.

    What is drawn is of the first choice of examples, so its error is the standard deviation over choices itself.
    """
    repeats = rows.groupby("group")["example_repeats"].max()
    repeated = repeats[repeats > 1]
    if repeated.empty:
        return "; bars of capacity: two standard errors of the Gaussian draws"
    counts = " or ".join(f"{count:g}" for count in sorted(repeated.unique()))
    once = " and ".join(groups_in(group for group in repeats.index if group not in repeated.index))
    once = f"; one of {once}, whose bars are of the draws alone" if once else ""
    return (
        "\nbars: two standard errors; of capacity those of the Gaussian draws and of the choice of examples,"
        f"\nof radius and dimension of the choice alone (standard deviation over {counts} choices{once})"
    )
