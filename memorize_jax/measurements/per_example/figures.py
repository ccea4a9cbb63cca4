"""When every example is learned and how deep it is decided; the images that were memorized most and least."""

from typing import Any

import numpy as np
import pandas as pd

from memorize_jax.epochs import STAGES
from memorize_jax.figures.curves import epochs_note, first_seed_note, heading, mean_note, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.images import decode_image, show_image
from memorize_jax.figures.style import COLORS, Drawing, drawn, epoch_axis, layer_axis, legend_below, subplots
from memorize_jax.measurements.per_example.epoch_lists import missing_epochs
from memorize_jax.measurements.per_example.rankings import is_mislabeled
from memorize_jax.studies.study import Study

# Group -> how its histogram is drawn: by hatching too, for those who see no colors.
LOOKS = {
    "unpermuted": {"color": COLORS["unpermuted"], "alpha": 0.45},
    "mislabeled": {"color": COLORS["permuted"], "alpha": 0.45, "hatch": "////"},
}
NUM_BINS = 24
ROWS, COLUMNS = 4, 6


def example_groups(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Unpermuted examples, and those that were trained with a wrong label; without empty groups."""
    groups = {"unpermuted": table[~table["is_permuted"].astype(bool)], "mislabeled": table[is_mislabeled(table)]}
    return {name: rows for name, rows in groups.items() if len(rows)}


def shares(rows: pd.DataFrame, column: str, edges: np.ndarray) -> np.ndarray:
    """Percent of the examples of each seed between edges, mean over seeds; those outside and NaN are in none."""
    own = [values.to_numpy() for _, values in rows.groupby("seed")[column]]
    return np.mean([100 * np.histogram(one[one < edges[-1]], edges)[0] / len(one) for one in own], axis=0)


def epoch_edges(last: int) -> np.ndarray:
    """Edges of bins of epochs 0 to `last`, of growing width."""
    return np.unique(np.concatenate([[0], np.geomspace(1, last + 1, NUM_BINS + 1).round()]))


@drawn()
def draw_when_and_how_deep(study: Study) -> Drawing:
    """Draws histograms of the learned epoch, and of the prediction depth at the best and the final epoch."""
    table = study.tables["per_example"]
    stages = [stage for stage in STAGES if table[f"prediction_depth_{stage}"].notna().any()]
    finals = study.epochs_of("final")
    # Of what is never learned there is no epoch; each seed has a last one of its own.
    is_never = table["learned_epoch"] > table["seed"].map(finals)
    groups = example_groups(table.assign(learned_epoch=table["learned_epoch"].mask(is_never)))
    wide = max(3.6, 0.24 * len(study.layers))
    figure, axes = subplots(1, 1 + len(stages), figsize=(4.0 + wide * len(stages), 3.9), squeeze=False)
    when, *depths = axes[0]
    bins = epoch_edges(max(finals.values()))
    for name, rows in groups.items():
        when.stairs(shares(rows, "learned_epoch", bins), bins, fill=True, label=name, **LOOKS[name])
    epoch_axis(when, max(finals.values()), "learned epoch")
    when.set_ylabel("examples of the group (%)")
    when.set_title("when", fontsize=10)
    # A depth of L, which no layer has: not even the last one agrees.
    names, width = ["input", *study.layers, "none"], 0.8 / len(groups)
    places = np.arange(len(names))
    edges = np.arange(len(names) + 1) - 0.5
    for axis, stage in zip(depths, stages, strict=True):
        for index, (name, rows) in enumerate(groups.items()):
            known = rows[rows[f"prediction_depth_{stage}"].notna()]
            heights = shares(known, f"prediction_depth_{stage}", edges)
            axis.bar(places + (index - (len(groups) - 1) / 2) * width, heights, width, **LOOKS[name])
        layer_axis(axis, names)
        axis.set(xlabel="prediction depth: neighbors agree from here on", ylim=(0, 100))
        axis.set_title(f"how deep, {epochs_note(study, stage)}", fontsize=10)
    legend_below(figure, [when], 2)
    never = [f"{name} {100 * _never(rows):.1f} %" for name, rows in groups.items()]
    # A seed whose network was damaged has no depths.
    known = [table.loc[table[f"prediction_depth_{stage}"].notna(), "seed"].nunique() for stage in stages]
    fewest = min([len(study.seeds), *known])
    heading(figure, subject(study), mean_note(study, fewest), f"never learned: {', '.join(never)}")
    return figure


def _never(rows):
    """Share of the examples without a learned epoch, mean over seeds."""
    return float(rows["learned_epoch"].isna().groupby(rows["seed"]).mean().mean())


@drawn(**{"axes.grid": False})
def draw_memorized_images(study: Study) -> Drawing:
    """Draws the images that were memorized most and least, with both labels and the learned epoch; one seed."""
    table = study.tables["per_example_images"]
    table = table[table["seed"] == study.seeds[0]]
    brightest = max(decode_image(row).max() for row in table.itertuples())
    figure, axes = subplots(ROWS, COLUMNS, figsize=(1.25 * COLUMNS + 1.0, 1.75 * ROWS + 0.4))
    layout: Any = figure.get_layout_engine()
    layout.set(h_pad=0.06)
    for axis in axes.flat:
        axis.set_axis_off()
    half = ROWS // 2
    for own_axes, kind in ((axes[:half], "most"), (axes[half:], "least")):
        for axis, row in zip(own_axes.flat, table[table["memorized"] == kind].itertuples(), strict=False):
            show_image(axis, decode_image(row), brightest)
            changed = row.true != row.assigned
            # What was changed is bold as well as colored.
            style = {"color": COLORS["permuted" if changed else "unpermuted"]}
            style["fontweight"] = "bold" if changed else "normal"
            axis.set_title(f"trained: {row.assigned}\ntrue: {row.true}\nepoch {row.learned_epoch}", fontsize=8, **style)
        for axis in own_axes[:, 0]:
            # An axis that is off has no label of its own.
            place = {"transform": axis.transAxes, "rotation": 90, "ha": "right", "va": "center"}
            axis.text(-0.15, 0.5, f"{kind}\nmemorized", fontsize=9, multialignment="center", **place)
    heading(figure, subject(study), first_seed_note(study))
    return figure


def _no_end(study: Study) -> str:
    is_unknown = study.tables["per_example"]["learned_epoch"].isna().any()
    return "the final network was damaged, so what was learned is not known" if is_unknown else ""


def _no_images(study: Study) -> str:
    if why := _no_end(study):
        return why
    table = study.tables["per_example_images"]
    return "" if table.loc[table["seed"] == study.seeds[0], "pixels"].notna().all() else "its examples are not images"


FIGURES = (
    Figure(
        "when_and_how_deep",
        "When examples are learned, and how deep they are decided",
        "Left, the epoch from which on the network gives an example its assigned label at every stored epoch: does it "
        "learn wrong labels long after right ones? Right, the prediction depth: the layer from which on the most "
        "common label among the nearest neighbors of an example is the class that the network gives it (none: not "
        "even after the last layer). If a network memorizes in its last layers, mislabeled examples stand at the input "
        "at the best epoch, when it still gives them the class of their neighbors, and at the last layers at the final "
        "epoch. Not in the paper.",
        ("metrics", "per_example"),
        draw_when_and_how_deep,
        _no_end,
        remark=missing_epochs,
    ),
    Figure(
        "memorized_images",
        "The most and the least memorized images",
        "Of the training images whose assigned label the final network gives, those with the highest and the lowest "
        "loss, summed over the stored epochs: the label each was trained with, its true one, and the epoch from which "
        "on the network gave the trained one. In bold, wrong labels: do they fill the upper half? Those in it that are "
        "not bold are odd images, or labels that are wrong in the data set. Not in the paper.",
        ("metrics", "per_example", "per_example_images"),
        draw_memorized_images,
        _no_images,
    ),
)
