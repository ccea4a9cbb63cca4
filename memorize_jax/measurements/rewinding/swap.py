"""Layers of another run in the memorizing network, and the reverse (after Dankers and Titov 2024)."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.figures.curves import draw_mean, epoch_range, fewest_seeds, heading, mean_note, seeds_note, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import (
    COLORS,
    DASHES,
    Drawing,
    drawn,
    group_style,
    layer_axis,
    legend_below,
    subplots,
)
from memorize_jax.measurements.rewinding.sources import other_rows
from memorize_jax.studies.study import Study

LEVEL = 0.95
GROUPS = {"train": "train", "permuted": "permuted (assigned labels)", "restored": "permuted (true labels)"}
GROUPS |= {"test": "test"}
DIRECTIONS = {"final": "layers of the other run\nin this network", "early": "layers of this network\nin the other run"}
# Those whose maps differ most.
MAPPED = ("permuted", "restored", "test")


def _last(study: Study) -> pd.DataFrame:
    """The rows of the other run's last epoch that was measured, of every seed its own."""
    rows = other_rows(study.tables["rewinding"])
    return rows[rows["rewind_epoch"] == rows.groupby("seed")["rewind_epoch"].transform("max")]


def _consecutive(rows: pd.DataFrame, layers: tuple[str, ...]) -> pd.DataFrame:
    """The rows of single layers and of layers in a row, with the places of the first and the last."""
    place = {layer: number for number, layer in enumerate(layers)}
    ends = [[place[name] for name in (text.split("+")[0], text.split("+")[-1])] for text in rows["layer"]]
    rows = rows.assign(first=[one for one, _ in ends], last=[one for _, one in ends])
    return rows[rows["last"] - rows["first"] + 1 == rows["num_layers"]]


def _windows(study: Study) -> pd.DataFrame:
    return _consecutive(_last(study), study.layers)


def _heading(figure, study, rows, note):
    source, epochs = pathlib.PurePath(rows["source"].iloc[0]).name, epoch_range(rows["rewind_epoch"])
    heading(figure, subject(study), f"other run: {source}, epoch {epochs}", note)


@drawn()
def draw_swap(study: Study) -> Drawing:
    """Draws accuracy by the layer that is swapped, or by the shortest windows that are; a panel for each direction."""
    rows = _windows(study)
    shortest = rows[rows["num_layers"] == rows["num_layers"].min()]
    directions = [into for into in DIRECTIONS if into in set(shortest["into"])]
    figure, axes = subplots(1, len(directions), figsize=(1 + 4.6 * len(directions), 4.6), sharey=True, squeeze=False)
    fewest, metrics = len(study.seeds), study.tables["metrics"]
    finals = metrics[metrics["epoch"] == metrics["seed"].map(study.epochs_of("final"))]
    for axis, into in zip(axes[0], directions, strict=True):
        own = shortest[shortest["into"] == into].sort_values("first")
        for group, label in GROUPS.items():
            wide = own.pivot(index="seed", columns="first", values=f"{group}_accuracy")
            style: dict = group_style(group) | {"label": label}
            if wide.notna().any(axis=None):
                fewest = min(fewest, draw_mean(axis, range(wide.shape[1]), wide, level=LEVEL, scale=100, **style))
            if into == "final":
                whole = 100 * finals[f"{group}_accuracy"].mean(skipna=False)
                faint = {"color": COLORS[group], "linestyle": DASHES.get(group, "-"), "linewidth": 1, "alpha": 0.5}
                axis.axhline(whole, zorder=1, **faint)
        ends = own.drop_duplicates("first")[["first", "last"]].to_numpy()
        names = [study.layers[first] + (f" to {study.layers[last]}" if last > first else "") for first, last in ends]
        layer_axis(axis, names)
        axis.set_xlabel("swapped layer" if (ends[:, 0] == ends[:, 1]).all() else "swapped layers")
        axis.set_title(DIRECTIONS[into], fontsize=10)
    axes[0, 0].set(ylabel="accuracy (%)", ylim=(0, 102))
    legend_below(figure, axes[0][:1], 2 * len(directions))
    _heading(figure, study, shortest, seeds_note(study, LEVEL, fewest))
    return figure


@drawn()
def draw_swap_windows(study: Study) -> Drawing:
    """Draws accuracy by the first and the last of the layers that are swapped, a row of maps for each direction."""
    rows, layers = _windows(study), study.layers
    directions = [into for into in DIRECTIONS if into in set(rows["into"])]
    columns = [group for group in MAPPED if rows[f"{group}_accuracy"].notna().any()]
    side = 1.2 + 0.2 * max(len(layers), 6)
    size = (side * len(columns) + 1.6, (side + 0.5) * len(directions) + 0.8)
    figure, axes = subplots(len(directions), len(columns), figsize=size, sharex=True, sharey=True, squeeze=False)
    for row, into in enumerate(directions):
        for axis, group in zip(axes[row], columns, strict=True):
            own = rows[rows["into"] == into]
            means = own.pivot_table(index="first", columns="last", values=f"{group}_accuracy")
            everywhere = range(len(layers))
            values = 100 * means.reindex(index=everywhere, columns=everywhere).to_numpy(float)
            edges = np.arange(len(layers) + 1) - 0.5
            mesh = axis.pcolormesh(edges, edges, values, vmin=0, vmax=100, cmap="viridis", rasterized=True)
            layer_axis(axis, layers)
            axis.set_yticks(everywhere, layers, fontsize=8)
            axis.set_ylim(len(layers) - 0.5, -0.5)
            axis.set_xlabel("last swapped layer" if row == len(directions) - 1 else "")
            axis.grid(visible=False)
            axis.set_title("" if row else GROUPS[group], fontsize=9)
        axes[row, 0].set_ylabel(f"{DIRECTIONS[into]}\nfirst swapped layer", fontsize=9)
    figure.colorbar(mesh, ax=axes, label="accuracy (%)")
    fewest = fewest_seeds(rows, ("into", "first", "last"), [f"{group}_accuracy" for group in columns])
    _heading(figure, study, rows, mean_note(study, fewest))
    return figure


def _obstacle(study: Study) -> str:
    if not other_rows(study.tables["rewinding"]).empty:
        return ""
    return f"no layers of another run were moved; move some with: {_ask(study)}"


def _obstacle_of_windows(study: Study) -> str:
    few = f"no windows of several lengths were moved; move some with: {_ask(study)}"
    return _obstacle(study) or ("" if _windows(study)["num_layers"].nunique() > 1 else few)


def _ask(study):
    return f"{study.command('rewinding')} --source=OTHER_FOLDER --rewind_into=both --rewind_layers=windows"


SWAP = Figure(
    "swap",
    "Layers swapped with another run",
    "Left: this network, with one layer at a time from another run, e.g. one that was trained without permuted labels; "
    "faint lines are this network unchanged. Where the permuted examples lose their assigned labels and get their true "
    "ones back, that layer is needed for memorizing. Right: the reverse; where the other network takes assigned labels "
    "over, one layer alone carries them. After Dankers and Titov (2024).",
    ("metrics", "rewinding"),
    draw_swap,
    _obstacle,
)
SWAP_WINDOWS = Figure(
    "swap_windows",
    "Consecutive layers swapped with another run",
    "The same for all layers from the one named at the left to the one named below: on the diagonal one layer alone, "
    "in the upper right corner all of them, so the other network altogether. How far from the corner its color still "
    "reaches says how many layers it takes to carry what was memorized; what is white was not measured. After Dankers "
    "and Titov (2024).",
    ("metrics", "rewinding"),
    draw_swap_windows,
    _obstacle_of_windows,
)
