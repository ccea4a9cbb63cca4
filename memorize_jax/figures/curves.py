"""Curves of one or several seeds: the mean, in a band of its interval; and what a figure says of both."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memorize_jax.statistics import student_t_interval
from memorize_jax.studies.study import Study


def draw_mean(axis, places, values, *, level: float, band: bool = True, scale: float = 1.0, **style) -> int:
    """Draws the mean over seeds, and the Student-t interval where there are several.

    Args:
      values: [seeds, n], NaN where a seed has none.
      scale: of the values, 100 for percent.

    Returns:
      the fewest seeds that any point of the line is a mean of.
    """
    found = student_t_interval(scale * np.asarray(values, float), level=level)
    axis.plot(places, found.mean, **style)
    if band and np.isfinite(found.low).any():
        axis.fill_between(places, found.low, found.high, color=style["color"], alpha=0.15, linewidth=0)
    return int(found.count[found.count > 0].min(initial=len(values)))


def by_seed(table: pd.DataFrame, along: str, column: str) -> pd.DataFrame:
    """[seeds, values of `along`] of a column, at the values that all seeds have.

    Seeds have best and final epochs of their own; a mean over some of the seeds there would look like a jump.
    """
    wide = table.pivot(index="seed", columns=along, values=column)
    counts = table.groupby(along)["seed"].nunique()
    return wide[counts.index[counts == len(wide)]]


def interpolated(table: pd.DataFrame, along: str, column: str) -> pd.DataFrame:
    """[seeds, values of `along`] of a column, at the values that any seed has, linear between a seed's own.

    For seeds that were measured at epochs of their own; the last value is that which all of them reach.
    """
    # A seed without any value is in no mean.
    wide = table.pivot(index="seed", columns=along, values=column).dropna(how="all")
    places = wide.columns.to_numpy(float)
    there = [(own, own.notna()) for _, own in wide.iterrows()]
    filled = [np.interp(places, places[has], own[has], left=np.nan, right=np.nan) for own, has in there]
    return pd.DataFrame(filled, index=wide.index, columns=wide.columns).dropna(axis="columns")


def between_note(table: pd.DataFrame, along: str) -> str:
    """How `interpolated` fills the epochs that only some seeds were measured at; "" if all were at the same."""
    epochs = table.groupby("seed")[along].agg(lambda own: tuple(np.unique(own)))
    return "between the epochs of a seed its line is straight" if epochs.nunique() > 1 else ""


def subject(study: Study) -> str:
    """What a study is of, in a line: network, data set, share of permuted labels."""
    fraction = "" if np.isnan(study.permuted_fraction) else f", {100 * study.permuted_fraction:g} % of labels permuted"
    return f"{study.model} on {study.dataset}{fraction}" if study.model else ""


def fewest_seeds(table: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> int:
    """The fewest seeds that have a value of one of the columns, of all places (`by`) where any seed has one."""
    counts = table.groupby(list(by))[list(columns)].count().to_numpy()
    return int(counts[counts > 0].min(initial=table["seed"].nunique()))


def mean_note(study: Study, fewest: int) -> str:
    """How many seeds a figure is a mean of, and the fewest that any point is; "" for one seed."""
    count = len(study.seeds)
    if count == 1:
        return ""
    return f"mean of {count} seeds" + (f" (of {fewest} at least, where some lack a value)" if fewest < count else "")


def seeds_note(study: Study, level: float, fewest: int) -> str:
    """What the curves and the bands of a figure are; see `mean_note`."""
    if len(study.seeds) == 1:
        return f"one seed ({study.seeds[0]}), so no interval over seeds"
    # One line is too long for narrow figures.
    between = ", " if fewest == len(study.seeds) else "\n"
    return f"{mean_note(study, fewest)}{between}bands: {100 * level:g} % Student-t interval"


def first_seed_note(study: Study) -> str:
    """That a figure shows one seed of several; "" if there is but one."""
    return f"seed {study.seeds[0]}, the first of {len(study.seeds)}" if len(study.seeds) > 1 else ""


def epochs_note(study: Study, stage: str) -> str:
    """The epoch of a stage, or the range of those of several seeds."""
    return f"{stage} epoch ({epoch_range(study.epochs_of(stage).values())})"


def epoch_range(epochs) -> str:
    """Epochs of several seeds, as short as possible: "4", or "4 to 6"."""
    low, high = min(epochs), max(epochs)
    return str(low) if low == high else f"{low} to {high}"


def heading(figure, *lines: str) -> None:
    """Writes what the figure shows above it; empty lines are left out."""
    figure.suptitle("\n".join(line for line in lines if line), fontsize=9)
