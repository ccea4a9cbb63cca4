"""What M points of a class cannot tell: the lower bound 2/M of capacity, and that dimensions are lower bounds.

All take a table with the columns `examples_per_class` and, where it is about capacity, `kappa`.
"""

import pandas as pd

from memorize_jax.figures.style import FLOOR

LABEL = "lower bound 2/M"


def lower_bound(table: pd.DataFrame) -> float | None:
    """The least capacity of manifolds of M points; None for capacities with a margin, of which it is no bound."""
    return None if (table["kappa"] != 0).any() else 2 / table["examples_per_class"].min()


def draw_bound(axis, table: pd.DataFrame) -> None:
    """Draws the lower bound, where there is one, as a horizontal line."""
    bound = lower_bound(table)
    if bound is not None:
        axis.axhline(bound, label=LABEL, **FLOOR)


def bound_remark(table: pd.DataFrame, line: str = "gray line") -> str:
    """What a caption says of the line; of several runs some may have a margin."""
    margins = sorted(table.loc[table["kappa"] != 0, "kappa"].unique())
    if not margins:
        return f"The {line} is the lower bound 2/M of capacity, for M examples per class."
    whose = "the capacities" if len(margins) == table["kappa"].nunique() else "some of the capacities"
    kappas = " and ".join(f"{kappa:g}" for kappa in margins)
    return f"No lower bound is drawn where there is none: {whose} are with a margin (κ = {kappas})."


def examples_note(table: pd.DataFrame) -> str:
    """How many examples stand for a class: "M = 50"."""
    least, most = table["examples_per_class"].min(), table["examples_per_class"].max()
    return f"M = {least:g}" if least == most else f"M = {least:g} to {most:g}"


def dimension_remark(table: pd.DataFrame) -> str:
    """What a caption says of dimensions."""
    return (
        f"Dimensions are those of {examples_note(table)} examples per class. Few points do not fill many dimensions: "
        "with M = 50 any value above about 4 is a lower bound. Of a true dimension of 10, 50 examples show 67 %, 100 "
        "75 %, 200 82 %, 400 87 %, 800 90 %."
    )
