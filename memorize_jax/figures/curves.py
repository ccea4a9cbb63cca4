"""Curves of one or several seeds: the mean, in a band of its interval; and what a figure says of both."""

import numpy as np
import pandas as pd

from memorize_jax.intervals import student_t_interval
from memorize_jax.study import Study


def draw_mean(axis, places, values, *, level: float, band: bool = True, scale: float = 1.0, **style) -> None:
    """Draws the mean over seeds, and the Student-t interval where there are several.

    Args:
      axis: of the figure.
      places: [n] on the horizontal axis.
      values: [seeds, n], NaN where a seed has none.
      level: of the interval.
      band: whether to draw the interval.
      scale: of the values, 100 for percent.
      **style: of the line.
    """
    found = student_t_interval(scale * np.asarray(values, float), level=level)
    axis.plot(places, found.mean, **style)
    if band and np.isfinite(found.low).any():
        axis.fill_between(places, found.low, found.high, color=style["color"], alpha=0.15, linewidth=0)


def by_seed(table: pd.DataFrame, along: str, column: str) -> pd.DataFrame:
    """[seeds, values of `along`] of a column, at the values that all seeds have; at all if there are none.

    Seeds have best and final epochs of their own; a mean over some of the seeds there would look like a jump.
    """
    wide = table.pivot(index="seed", columns=along, values=column)
    counts = table.groupby(along)["seed"].nunique()
    shared = counts.index[counts == len(wide)]
    return wide[shared] if len(shared) else wide


def interpolated(table: pd.DataFrame, along: str, column: str) -> pd.DataFrame:
    """[seeds, values of `along`] of a column, at the values that any seed has, linear between a seed's own.

    For seeds that were measured at epochs of their own; the last value is that which all of them reach.
    """
    wide = table.pivot(index="seed", columns=along, values=column)
    places = wide.columns.to_numpy(float)
    filled = [
        np.interp(places, places[own.notna()], own[own.notna()], left=np.nan, right=np.nan)
        for _, own in wide.iterrows()
    ]
    return pd.DataFrame(filled, index=wide.index, columns=wide.columns).dropna(axis="columns")


def subject(study: Study) -> str:
    """What a study is of, in a line: network, data set, share of permuted labels."""
    fraction = "" if np.isnan(study.permuted_fraction) else f", {100 * study.permuted_fraction:g} % of labels permuted"
    return f"{study.model} on {study.dataset}{fraction}" if study.model else ""


def seeds_note(study: Study, level: float) -> str:
    """What the bands of a figure are."""
    if len(study.seeds) == 1:
        return f"one seed ({study.seeds[0]}), so no interval over seeds"
    return f"mean of {len(study.seeds)} seeds, bands: {100 * level:g} % Student-t interval"


def epochs_note(study: Study, stage: str) -> str:
    """The epoch of a stage, or the range of those of several seeds."""
    epochs = sorted(set(study.epochs_of(stage).values()))
    return f"{stage} epoch ({epochs[0]})" if len(epochs) == 1 else f"{stage} epoch ({epochs[0]} to {epochs[-1]})"


def heading(figure, *lines: str) -> None:
    """Writes what the figure shows above it."""
    figure.suptitle("\n".join(line for line in lines if line), fontsize=9)
