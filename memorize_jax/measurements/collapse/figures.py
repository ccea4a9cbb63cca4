"""Drift of permuted examples, and how tight classes are by true and by assigned labels (no figures of the paper)."""

import numpy as np

from memorize_jax.epochs import STAGES
from memorize_jax.figures.curves import (
    draw_mean,
    epochs_note,
    fewest_seeds,
    heading,
    seeds_note,
    subject,
)
from memorize_jax.figures.figure import Figure, not_measured
from memorize_jax.figures.heat import by_layer_and_epoch, draw_heat, layer_names, limits, too_few_columns
from memorize_jax.figures.style import Drawing, drawn, group_style, layer_axis, legend_below, subplots
from memorize_jax.statistics import LEVEL
from memorize_jax.studies.study import Study

# A map of a single epoch shows nothing that curves do not.
LEAST_EPOCHS = 2
# What the curves of NC1 are of: column, group of the rows, group whose look they have, name in the legend.
CURVES = (
    ("nc1_true", "train", "restored", "training examples by true labels"),
    ("nc1_assigned", "train", "permuted", "training examples by assigned labels"),
    ("nc1_true", "test", "test", "test examples"),
)


def _by_layer(rows, group, column, layers):
    own = rows[rows["group"] == group]
    return own.pivot(index="seed", columns="layer", values=column).reindex(columns=layers)


def _fewest(study, curves):
    """The fewest seeds that any point of the curves, columns with groups of their rows, is a mean of."""
    stages = [study.at_stage("collapse", stage) for stage in STAGES]
    own = [(rows[rows["group"] == group], column) for rows in stages for column, group in curves]
    return min(fewest_seeds(rows, ("layer",), (column,)) for rows, column in own)


@drawn()
def draw_drift(study: Study) -> Drawing:
    """Draws the drift by layer at the best and the final epoch, and as a map of layer by epoch."""
    table = study.tables["collapse"]
    permuted = table[table["group"] == "permuted"]
    names = layer_names(table)
    layers, places = list(names.values()), np.arange(len(names))
    figure, (axis, panel) = subplots(1, 2, figsize=(9.6, 4.4))
    fewest = _fewest(study, [("drift", "permuted"), ("drift_share", "permuted")])
    curves = {
        "final": {**group_style("permuted"), "label": "drift, final epoch"},
        "best": {
            **group_style("permuted", markers=False),
            "alpha": 0.35,
            "linewidth": 2.5,
            "label": "drift, best epoch",
        },
    }
    for stage, style in curves.items():
        rows = study.at_stage("collapse", stage)
        draw_mean(
            axis, places, _by_layer(rows, "permuted", "drift", layers), level=LEVEL, band=stage == "final", **style
        )
    share = _by_layer(study.at_stage("collapse", "final"), "permuted", "drift_share", layers)
    style = {"color": "#555555", "linestyle": ":", "marker": "x", "markersize": 4}
    draw_mean(axis, places, share, level=LEVEL, band=False, label="share beyond half way, final epoch", **style)
    for height in (0, 1):
        axis.axhline(height, color="#777777", linewidth=0.8)
    axis.set_ylabel("drift (0: true class, 1: assigned class)")
    layer_axis(axis, layers)
    means = by_layer_and_epoch(study, permuted, "drift")
    low, high = limits([means])
    mesh = draw_heat(panel, means, names, cmap="viridis", vmin=min(low, 0), vmax=max(high, 1))
    panel.set_title("by layer and epoch", fontsize=10)
    figure.colorbar(mesh, ax=panel, label="mean drift")
    legend_below(figure, [axis], 3)
    stages = f"{epochs_note(study, 'best')}, {epochs_note(study, 'final')}: {subject(study)}"
    heading(figure, stages, seeds_note(study, LEVEL, min(fewest, means.fewest)))
    return figure


@drawn()
def draw_nc1(study: Study) -> Drawing:
    """Draws variation within classes over that between them by layer, by true and by assigned labels."""
    table = study.tables["collapse"]
    layers = list(layer_names(table).values())
    figure, axes = subplots(1, 2, figsize=(9.6, 4.2), sharey=True)
    for axis, stage in zip(axes, STAGES, strict=True):
        rows = study.at_stage("collapse", stage)
        for column, group, look, name in CURVES:
            style = {**group_style(look), "label": name}
            draw_mean(axis, np.arange(len(layers)), _by_layer(rows, group, column, layers), level=LEVEL, **style)
        axis.set_yscale("log")
        axis.set_title(epochs_note(study, stage), fontsize=10)
        layer_axis(axis, layers)
    axes[0].set_ylabel("NC1: within over between classes")
    low, high = axes[0].get_ylim()
    ticks = [step * 10.0**power for power in range(-9, 10) for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].set_yticks([], minor=True)
    legend_below(figure, axes[:1], 3)
    heading(figure, subject(study), seeds_note(study, LEVEL, _fewest(study, [curve[:2] for curve in CURVES])))
    return figure


def _stages_obstacle(study: Study) -> str:
    lacking = (not_measured(study, "collapse", study.epochs_of(s), "--collapse_epochs=log,best,final") for s in STAGES)
    return next(filter(None, lacking), "")


def _drift_obstacle(study: Study) -> str:
    table = study.tables["collapse"]
    if table["drift"].isna().all():
        return "no example has a drift: no label was permuted, or no example kept its own"
    return _stages_obstacle(study) or too_few_columns(study, "collapse", LEAST_EPOCHS)


FIGURES = (
    Figure(
        "drift",
        "How far permuted examples move from their true to their assigned class",
        "Left: where every permuted example with a wrong label lies along the line from the centroid of its true class "
        "(0) to that of its assigned class (1), both centroids of unpermuted examples; mean, and share beyond half "
        "way. If late layers memorize, drift is near zero in early layers and rises in late ones, and only after "
        "the best epoch (faded); does the capacity of permuted manifolds rise in the same layers (figure 3)? Right: "
        "along a row one sees when a layer gives up the true classes. Not in the paper.",
        ("metrics", "collapse"),
        draw_drift,
        _drift_obstacle,
    ),
    Figure(
        "collapse_nc1",
        "By which labels the classes are tight",
        "NC1 is the variation within classes over that between them: the lower, the tighter the classes (neural "
        "collapse). Are all layers tighter by true labels than by the assigned ones at the best epoch, and at which "
        "layer do the two curves of training examples cross at the final one? Where the curve of test examples is "
        "higher than at the best epoch, classes that were learned have been given up. Not in the paper.",
        ("metrics", "collapse"),
        draw_nc1,
        _stages_obstacle,
    ),
)
