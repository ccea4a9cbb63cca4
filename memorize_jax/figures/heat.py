"""Maps of layer by epoch."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from memorize_jax.figures.curves import fewest_seeds
from memorize_jax.figures.style import epoch_ticks
from memorize_jax.studies.study import Study


class Means(NamedTuple):
    """Means over seeds, [layers, epochs], and the fewest seeds that any of them is a mean of."""

    values: pd.DataFrame
    fewest: int


def shared_epochs(study: Study, table: pd.DataFrame) -> list[int]:
    """The epochs of a table that all seeds have: a map of others would show single seeds side by side."""
    counts = table.groupby("epoch")["seed"].nunique()
    return [int(epoch) for epoch in counts.index[counts == len(study.seeds)]]


def too_few_shared(study: Study, table: str, least: int) -> str:
    """Says that the seeds share fewer epochs than a map needs, and which command measures more; "" if they do not."""
    shared = len(shared_epochs(study, study.tables[table]))
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
    """Means over seeds of a column by layer and epoch, at the epochs that all seeds have."""
    rows = table[table["epoch"].isin(shared_epochs(study, table))]
    values = rows.pivot_table(index="layer_number", columns="epoch", values=column, dropna=False)
    return Means(values, fewest_seeds(rows, ("layer_number", "epoch"), (column,)))


def limits(panels: Iterable[Means]) -> tuple[float, float]:
    """The smallest and the largest finite value of all panels."""
    flat = np.concatenate([panel.values.to_numpy(float).ravel() for panel in panels])
    finite = flat[np.isfinite(flat)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def draw_heat(axis, values: pd.DataFrame, names: Mapping[int, str], **colors):
    """Draws a map [layers, epochs], the first layer on top, epochs on a logarithmic axis, epoch 0 left of the first.

    Args:
      names: number of a layer -> its name.
      **colors: of `pcolormesh`.

    Returns:
      What a color bar is made of.
    """
    edges = _edges(np.asarray(values.columns, float))
    # A picture inside the drawing: browsers show seams between thousands of small rectangles.
    mesh = axis.pcolormesh(edges, np.arange(len(values) + 1), values.to_numpy(float), rasterized=True, **colors)
    axis.set_xscale("log")
    axis.set_xlim(edges[0], edges[-1])
    epochs = [int(epoch) for epoch in values.columns]
    ticks = ([0] if 0 in epochs else []) + epoch_ticks(max(1, epochs[0]), epochs[-1])
    ticks = ticks or [epochs[0]]
    axis.set_xticks([tick or 0.5 for tick in ticks], [str(tick) for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.set_yticks(np.arange(len(values)) + 0.5, [names[number] for number in values.index], fontsize=8)
    axis.set_ylim(len(values), 0)
    axis.grid(visible=False)
    axis.set_xlabel("epoch")
    return mesh


def _edges(epochs):
    """Borders between epochs on a logarithmic axis; epoch 0 has the place left of the first."""
    places = np.where(epochs > 0, epochs, 0.5)
    if len(places) == 1:
        return np.array([places[0] / 1.5, places[0] * 1.5])
    middles = np.sqrt(places[1:] * places[:-1])
    return np.concatenate([[places[0] ** 2 / middles[0]], middles, [places[-1] ** 2 / middles[-1]]])
