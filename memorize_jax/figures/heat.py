"""Maps of layer by epoch."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from memorize_jax.epochs import STAGES
from memorize_jax.figures.curves import epoch_range, fewest_seeds
from memorize_jax.figures.style import epoch_ticks
from memorize_jax.studies.study import Study

# So many epochs are written at most, each so many times the one before.
MOST_TICKS, APART = 8, 1.3


class Column(NamedTuple):
    """A column of a map: which epoch of each seed it shows, and for epochs that differ their name."""

    epochs: Mapping[int, int]
    name: str = ""

    @property
    def place(self) -> float:
        """On a logarithmic axis: the geometric mean of the epochs; epoch 0 has the place left of the first."""
        return float(np.exp(np.mean([np.log(epoch or 0.5) for epoch in self.epochs.values()])))


class Means(NamedTuple):
    """Means over seeds, [layers, places of columns], the columns, and the fewest seeds of any mean."""

    values: pd.DataFrame
    columns: list[Column]
    fewest: int


def columns_of(study: Study, table: pd.DataFrame) -> list[Column]:
    """The epochs of a table that all seeds have, and the best and the final one where each seed has its own.

    A map of other epochs would show single seeds side by side. A best epoch is left out where the epochs of all seeds
    already show that part of training.
    """
    counts = table.groupby("epoch")["seed"].nunique()
    shared = [int(epoch) for epoch in counts.index[counts == len(study.seeds)]]
    found = [Column(dict.fromkeys(study.seeds, epoch)) for epoch in shared]
    measured = set(zip(table["seed"], table["epoch"], strict=True))
    for stage in STAGES:
        own = study.epochs_of(stage)
        low, high = min(own.values()), max(own.values())
        if low == high or any(low < epoch <= high for epoch in shared) or not measured.issuperset(own.items()):
            continue
        if found[-1:] and found[-1].epochs == own:
            found[-1] = found[-1]._replace(name=" and ".join(STAGES))
        else:
            found.append(Column(own, stage))
    return sorted(found, key=lambda column: column.place)


def too_few_columns(study: Study, table: str, least: int) -> str:
    """Says that the seeds share fewer epochs than a map needs, and which command measures more; "" if they do not."""
    shared = len(columns_of(study, study.tables[table]))
    if shared >= least:
        return ""
    found = f"the table {table} has {shared} epoch{'s' * (shared != 1)} of all seeds, and a map needs {least}"
    ask = f"{study.command(table)} --{table.removesuffix('s')}_epochs=log,best,final"
    return f"{found}; measure more with: {ask}"


def layer_names(table: pd.DataFrame) -> dict[int, str]:
    """Number of a layer -> its name, of the layers of a table."""
    layers = table.drop_duplicates("layer_number")
    return dict(zip(layers["layer_number"], layers["layer"], strict=True))


def by_layer_and_epoch(study: Study, table: pd.DataFrame, column: str) -> Means:
    """Means over seeds of a column by layer and epoch, in the columns that `columns_of` finds."""
    columns = columns_of(study, table)
    shown = [(seed, epoch, one.place) for one in columns for seed, epoch in one.epochs.items()]
    shown = pd.DataFrame(shown, columns=["seed", "epoch", "place"]).astype({"seed": int, "epoch": int})
    rows = table.merge(shown, on=["seed", "epoch"])
    values = rows.pivot_table(index="layer_number", columns="place", values=column, dropna=False)
    return Means(values, columns, fewest_seeds(rows, ("layer_number", "place"), (column,)))


def limits(panels: Iterable[Means]) -> tuple[float, float]:
    """The smallest and the largest finite value of all panels."""
    flat = np.concatenate([panel.values.to_numpy(float).ravel() for panel in panels])
    finite = flat[np.isfinite(flat)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def draw_heat(axis, means: Means, names: Mapping[int, str], **colors):
    """Draws a map [layers, epochs], the first layer on top, epochs on a logarithmic axis, epoch 0 left of the first.

    Args:
      names: number of a layer -> its name.
      **colors: of `pcolormesh`.

    Returns:
      What a color bar is made of.
    """
    values, edges = means.values, _edges(np.asarray(means.values.columns, float))
    # A picture inside the drawing: browsers show seams between thousands of small rectangles.
    mesh = axis.pcolormesh(edges, np.arange(len(values) + 1), values.to_numpy(float), rasterized=True, **colors)
    axis.set_xscale("log")
    axis.set_xlim(edges[0], edges[-1])
    ticks = _ticks([min(column.epochs.values()) for column in means.columns if not column.name])
    axis.set_xticks([tick or 0.5 for tick in ticks], [str(tick) for tick in ticks])
    axis.set_xticks([], minor=True)
    if stages := [column for column in means.columns if column.name]:
        above = axis.secondary_xaxis("top")
        labels = [f"{stage.name}\n({epoch_range(stage.epochs.values())})" for stage in stages]
        above.set_xticks([stage.place for stage in stages], labels, fontsize=7)
        above.set_xticks([], minor=True)
    axis.set_yticks(np.arange(len(values)) + 0.5, [names[number] for number in values.index], fontsize=8)
    axis.set_ylim(len(values), 0)
    axis.grid(visible=False)
    axis.set_xlabel("epoch")
    return mesh


def _ticks(epochs):
    """Where epochs are written: at every one of a few, but for close ones; at round numbers between many."""
    if len(epochs) <= MOST_TICKS:
        kept = epochs[:1]
        for epoch in epochs[1:]:
            kept += [epoch] * (epoch >= APART * (kept[-1] or 0.5))
        return kept
    return ([0] if 0 in epochs else []) + epoch_ticks(max(1, epochs[0]), epochs[-1])


def _edges(places):
    """Borders between columns on a logarithmic axis."""
    if len(places) == 1:
        return np.array([places[0] / 1.5, places[0] * 1.5])
    middles = np.sqrt(places[1:] * places[:-1])
    return np.concatenate([[places[0] ** 2 / middles[0]], middles, [places[-1] ** 2 / middles[-1]]])
