"""Curves of one or several seeds: the mean, in a band of its interval; and what a figure says of both."""

from collections.abc import Sequence
from typing import NamedTuple

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


class Curve(NamedTuple):
    """Values [seeds, values of `along`] for a mean, and at which of these places all seeds were measured."""

    values: pd.DataFrame
    measured: list[bool]

    def with_place(self, place: float, values: pd.Series) -> "Curve":
        """The curve with another place, at which all seeds were measured."""
        measured = dict(zip(self.values.columns, self.measured, strict=True)) | {place: True}
        wide = pd.concat([self.values.drop(columns=place, errors="ignore"), values.rename(place)], axis="columns")
        wide = wide.sort_index(axis="columns")
        return Curve(wide, [measured[one] for one in wide])


def interpolated(table: pd.DataFrame, along: str, column: str, *, held: bool = False) -> Curve:
    """A column at the places (values of `along`) that any seed has, linear between a seed's own.

    For seeds that were measured at epochs of their own; the last place is that which all of them reach, or with `held`
    the last of any seed: after its end a seed has its last value.
    """
    # A row without a number was not measured, and a seed without any is in no mean.
    wide = table.dropna(subset=[column]).pivot(index="seed", columns=along, values=column)
    places = wide.columns.to_numpy(float)
    there = [(own, own.notna()) for _, own in wide.iterrows()]
    right = None if held else np.nan
    filled = [np.interp(places, places[has], own[has], left=np.nan, right=right) for own, has in there]
    values = pd.DataFrame(filled, index=wide.index, columns=wide.columns).dropna(axis="columns")
    return Curve(values, wide[values.columns].notna().all().tolist())


def draw_curve(axis, curve: Curve, **style) -> int:
    """`draw_mean` of a curve, with markers at the places that all seeds were measured at."""
    return draw_mean(axis, curve.values.columns, curve.values, markevery=curve.measured, **style)


def between_note(table: pd.DataFrame, along: str, column: str, by: Sequence[str]) -> str:
    """How `interpolated` fills the places that only some seeds of a curve have; "" if all seeds have the same.

    Args:
      by: columns that tell curves apart.
    """
    known = table.dropna(subset=[column])
    of_curve, there = (
        known.groupby(list(names), dropna=False)["seed"].transform("nunique") for names in (by, (*by, along))
    )
    straight = "between the epochs of a seed its line is straight; markers: epochs of all seeds"
    return straight if (there < of_curve).any() else ""


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
