"""Norms and ratios of the parts of the gradient (figures 5, A.1, A.12 to A.14)."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.figures.style import STYLE, plt, save

GROUPS = ("all", "unpermuted", "permuted")
# Title, numerator, denominator; each (group, part).
RATIOS = (
    ("unpermuted: dep / ind", ("unpermuted", "dep"), ("unpermuted", "ind")),
    ("permuted: dep / ind", ("permuted", "dep"), ("permuted", "ind")),
    ("dep: unpermuted / permuted", ("unpermuted", "dep"), ("permuted", "dep")),
    ("ind: unpermuted / permuted", ("unpermuted", "ind"), ("permuted", "ind")),
)
# Powers of ten either side of the neutral colour, as in the paper.
RANGE = 2.5


def _logarithms(gradients, group, part):
    """[layers, epochs] log10 of the squared norm, the mean over seeds; NaN where there is none."""
    rows = gradients[(gradients["group"] == group) & (gradients["part"] == part)]
    if rows.empty:
        return None
    logs = rows.assign(log=np.log10(rows["squared_norm"].where(rows["squared_norm"] > 0)))
    return logs.pivot_table(index="layer_number", columns="epoch", values="log", dropna=False)


def _heat(figure, axis, values, names, title, **colors):
    epochs, edges = np.asarray(values.columns, float), _edges(np.asarray(values.columns, float))
    mesh = axis.pcolormesh(edges, np.arange(len(values) + 1), values.to_numpy(), rasterized=True, **colors)
    axis.set_xscale("log")
    axis.set_xlim(edges[0], edges[-1])
    axis.set_yticks(np.arange(len(values)) + 0.5, [names[number] for number in values.index], fontsize=7)
    axis.invert_yaxis()
    axis.grid(visible=False)
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("epoch" if epochs[0] > 0 else "epoch (left edge: untrained)")
    figure.colorbar(mesh, ax=axis)


def _edges(epochs):
    """Borders between epochs on a logarithmic axis; epoch 0 has the place left of the first."""
    places = np.where(epochs > 0, epochs, 0.5)
    if len(places) == 1:
        return np.array([places[0] / 1.5, places[0] * 1.5])
    middles = np.sqrt(places[1:] * places[:-1])
    return np.concatenate([[places[0] ** 2 / middles[0]], middles, [places[-1] ** 2 / middles[-1]]])


def draw_gradients(gradients: pd.DataFrame, path: pathlib.Path, *, parts_path: pathlib.Path) -> list[pathlib.Path]:
    """Draws figure 5 (as A.12 to A.14, with four ratios) and figure A.1: layer by epoch, epochs on a log axis.

    A colour is log10 of a squared norm, or of a ratio of two; over several seeds, the mean of the logarithms.

    Args:
      gradients: table of one run, or of runs that differ in the seed; rows of equation 15 only.
      path: of figure 5: norms of the full gradient on all, unpermuted and permuted examples, and the ratios.
      parts_path: of figure A.1: norms of the two parts on unpermuted and permuted examples.

    Returns:
      The paths.
    """
    layers = gradients.drop_duplicates("layer_number")
    names = {row.layer_number: f"{row.layer} ({row.layer_number})" for row in layers.itertuples()}
    norm = {(group, part): _logarithms(gradients, group, part) for group in GROUPS for part in ("full", "dep", "ind")}
    full = [
        (f"{letter}: full gradient, {group}", norm[group, "full"]) for letter, group in zip("ABC", GROUPS, strict=True)
    ]
    parts = [(f"{part}, {group}", norm[group, part]) for part in ("dep", "ind") for group in ("unpermuted", "permuted")]
    ratios = [
        (f"{letter}: {title}", norm[top] - norm[bottom])
        for letter, (title, top, bottom) in zip("DEFG", RATIOS, strict=True)
        if norm[top] is not None and norm[bottom] is not None
    ]
    diverging = {"cmap": "PRGn", "vmin": -RANGE, "vmax": RANGE}
    return [
        _draw([_shared(full), [(title, values, diverging) for title, values in ratios]], names, path),
        _draw([_shared(parts[:2]), _shared(parts[2:])], names, parts_path),
    ]


def _shared(panels):
    """The panels that exist, all on one colour scale."""
    there = [(title, values) for title, values in panels if values is not None]
    flat = np.concatenate([values.to_numpy().ravel() for _, values in there]) if there else np.zeros(0)
    finite = flat[np.isfinite(flat)]
    limits = {"vmin": finite.min(), "vmax": finite.max()} if len(finite) else {}
    return [(title, values, {"cmap": "viridis", **limits}) for title, values in there]


def _draw(rows, names, path):
    rows = [row for row in rows if row]
    columns = max(len(row) for row in rows)
    height = 1.2 + 0.19 * max(len(names), 6)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(rows), columns, figsize=(3.3 * columns, height * len(rows) + 0.4), squeeze=False
        )
        for row, own in zip(rows, axes, strict=True):
            for axis in own[len(row) :]:
                axis.set_visible(False)
            for axis, (title, values, colors) in zip(own, row, strict=False):
                _heat(figure, axis, values, names, title, **colors)
        figure.supylabel("layer (row of the paper's table)", fontsize=9)
        figure.suptitle("log10 of squared norms and of their ratios", fontsize=10)
        return save(figure, path)
