"""Maps of layer by epoch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from memorize_jax.figures.style import epoch_ticks
from memorize_jax.study import Study


def by_layer_and_epoch(study: Study, table: pd.DataFrame, column: str) -> pd.DataFrame | None:
    """[layers, epochs] mean over seeds of a column, at the epochs that all seeds have; None if there are no rows.

    Args:
      study: whose seeds.
      table: with columns seed, epoch, layer_number.
      column: the values.
    """
    if table.empty:
        return None
    counts = table.groupby("epoch")["seed"].nunique()
    shared = counts.index[counts == len(study.seeds)]
    rows = table[table["epoch"].isin(shared)] if len(shared) else table
    return rows.pivot_table(index="layer_number", columns="epoch", values=column, dropna=False)


def limits(panels: list[pd.DataFrame]) -> tuple[float, float]:
    """The smallest and the largest finite value of all panels."""
    flat = np.concatenate([panel.to_numpy(float).ravel() for panel in panels])
    finite = flat[np.isfinite(flat)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def draw_heat(axis, values: pd.DataFrame, names: Mapping[int, str], **colors):
    """Draws a map, the first layer on top, epochs on a logarithmic axis with epoch 0 left of the first.

    Args:
      axis: of the figure.
      values: [layers, epochs].
      names: number of a layer -> its name.
      **colors: of `pcolormesh`.

    Returns:
      What a colour bar is made of.
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
