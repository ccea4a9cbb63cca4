"""How alike layers place the same examples: over epochs, between layers, between runs (no figures of the paper)."""

import numpy as np

from memorize_jax.epochs import STAGES
from memorize_jax.figures.curves import (
    between_note,
    draw_curve,
    draw_mean,
    epoch_range,
    epochs_note,
    fewest_seeds,
    heading,
    interpolated,
    mean_note,
    seeds_note,
    subject,
)
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import (
    MARKER_CYCLE,
    Drawing,
    drawn,
    epoch_axis,
    group_style,
    groups_in,
    layer_axis,
    legend_below,
    shade,
    subplots,
)
from memorize_jax.measurements.similarity.chosen import between_layers, between_runs, over_epochs
from memorize_jax.studies.study import Study

LEVEL, VALUE = 0.95, "cka_debiased"
LABEL = "similarity (debiased CKA; 1 = same)"
# Fewer epochs than that show no course.
LEAST_EPOCHS = 3
FADED = "faded: best epoch"


@drawn()
def draw_epochs(study: Study) -> Drawing:
    """Draws the similarity of every layer with itself at the best epoch, by epoch: a curve per layer, dark to light."""
    rows = over_epochs(study.tables["similarity"], study.epochs_of("best"))
    groups, layers = groups_in(rows["group"]), _layers(rows)
    figure, axes = subplots(1, len(groups), figsize=(1.8 + 2.9 * len(groups), 3.9), sharey=True, squeeze=False)
    fewest = len(study.seeds)
    for axis, group in zip(axes[0], groups, strict=True):
        own = rows[rows["group"] == group]
        for index, layer in enumerate(layers):
            curve = interpolated(own[own["layer_a"] == layer], "epoch_a", VALUE)
            style = {"color": shade(index, len(layers)), "marker": MARKER_CYCLE[index % len(MARKER_CYCLE)]}
            style |= {"label": layer, "markersize": 3}
            fewest = min(fewest, draw_curve(axis, curve, level=LEVEL, **style))
        best = float(np.mean(list(study.epochs_of("best").values())))
        label = "best epoch (mean)" if _bests_differ(study) else "best epoch"
        axis.axvline(best, color="#888888", linewidth=1, linestyle=":", label=label)
        epoch_axis(axis, rows["epoch_a"].max())
        axis.set_title(group, fontsize=10)
    axes[0][0].set_ylabel(LABEL)
    entries = axes[0][0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside right upper", frameon=False, fontsize=7.5)
    note = seeds_note(study, LEVEL, fewest)
    title = f"each layer against itself at the {epochs_note(study, 'best')}: {subject(study)}"
    heading(figure, title, note, between_note(rows, "epoch_a", VALUE, ("group", "layer_a")))
    return figure


def _bests_differ(study):
    return len(set(study.epochs_of("best").values())) > 1


def _remark_on_epochs(study: Study) -> str:
    if not _bests_differ(study):
        return ""
    return (
        f"Seeds have best epochs of their own ({epoch_range(study.epochs_of('best').values())}): each is 1 at another "
        "epoch, so that their mean need not reach 1 at the dotted line, which is at the mean of these epochs."
    )


@drawn()
def draw_layers(study: Study) -> Drawing:
    """Draws the similarity of all pairs of layers as maps: a row for the best and one for the final epoch."""
    table = study.tables["similarity"]
    stages = {stage: rows for stage in STAGES if len(rows := between_layers(table, study.epochs_of(stage)))}
    layers, groups = _layers(table), groups_in(table["group"])
    side = max(2.2, 0.19 * len(layers))
    size = (1.9 + side * len(groups), 1.2 + (side + 0.35) * len(stages))
    figure, axes = subplots(len(stages), len(groups), figsize=size, sharex=True, sharey=True, squeeze=False)
    for above, (stage, rows) in zip(axes, stages.items(), strict=True):
        for axis, group in zip(above, groups, strict=True):
            own = rows[rows["group"] == group]
            wide = own.pivot_table(index="layer_a", columns="layer_b", values=VALUE).reindex(layers, columns=layers)
            # A picture inside the drawing: browsers show seams between small rectangles.
            mesh = axis.pcolormesh(wide.to_numpy(float), vmin=0, vmax=1, cmap="viridis", rasterized=True)
            axis.set_title(f"{group}, {stage} epoch", fontsize=9)
            axis.grid(visible=False)
            axis.set_aspect("equal")
            places = np.arange(len(layers)) + 0.5
            axis.set_yticks(places, layers, fontsize=8)
            axis.set_xticks(places, layers, fontsize=8, rotation=60, ha="right", rotation_mode="anchor")
            axis.set_ylim(len(layers), 0)
    for axis in axes[:, 0]:
        axis.set_ylabel("layer")
    for axis in axes[-1]:
        axis.set_xlabel("layer")
    figure.colorbar(mesh, ax=axes, label=LABEL)
    fewest = min(fewest_seeds(rows, ("group", "layer_a", "layer_b"), (VALUE,)) for rows in stages.values())
    epochs = ", ".join(epochs_note(study, stage) for stage in stages)
    heading(figure, f"{epochs}: {subject(study)}", mean_note(study, fewest))
    return figure


@drawn()
def draw_runs(study: Study) -> Drawing:
    """Draws the similarity of every layer with that of the other run at the final epochs, and at the best faded."""
    best, final = (_between_runs(study, stage) for stage in STAGES)
    layers = _layers(final)
    figure, axis = subplots(figsize=(6.0, 4.4))
    for index, group in enumerate(groups_in(final["group"])):
        behind = {"alpha": 0.35, "linewidth": 2.5, "label": None if index else FADED}
        for rows, style, band in ((best, behind, False), (final, {}, True)):
            own = rows[rows["group"] == group]
            wide = own.pivot(index="seed", columns="layer_a", values=VALUE).reindex(columns=layers)
            look = group_style(group, markers=band) | style
            if len(wide):
                draw_mean(axis, range(len(layers)), wide, level=LEVEL, band=band, **look)
    layer_axis(axis, layers)
    axis.set_ylabel(LABEL)
    legend_below(figure, [axis], 4, last=FADED)
    fewest = min(fewest_seeds(rows, ("group", "layer_a"), (VALUE,)) for rows in (best, final) if len(rows))
    heading(figure, f"{epochs_note(study, 'final')}: {subject(study)}", _other(final), seeds_note(study, LEVEL, fewest))
    return figure


def _layers(rows):
    return rows.sort_values("layer_number_a")["layer_a"].drop_duplicates().tolist()


def _between_runs(study, stage):
    return between_runs(study.tables["similarity"], stage, {own: study.epochs_of(own) for own in STAGES})


def _other(rows):
    fractions = ", ".join(f"{100 * own:g}" for own in rows["permuted_fraction_b"].unique())
    return f"against another run, {fractions} % of labels permuted, its final epoch ({epoch_range(rows['epoch_b'])})"


def _no_course(study: Study) -> str:
    rows = over_epochs(study.tables["similarity"], study.epochs_of("best"))
    counts = rows.dropna(subset=[VALUE]).groupby("seed")["epoch_a"].nunique().reindex(study.seeds, fill_value=0)
    if counts.min() >= LEAST_EPOCHS:
        return ""
    found = f"{counts.min()} epochs were compared with the best one, and its curves need {LEAST_EPOCHS}"
    return f"{found}; measure more with: {study.command('similarity')} --similarity_epochs=log,best,final"


def _no_layers(study: Study) -> str:
    table = study.tables["similarity"]
    if any(len(between_layers(table, study.epochs_of(stage))) for stage in STAGES):
        return ""
    ask = f"{study.command('similarity')} --similarity_epochs=best,final"
    return f"all layers were compared at neither the best nor the final epoch; measure it with: {ask}"


def _no_other(study: Study) -> str:
    rows = _between_runs(study, "final")
    if set(rows["seed"]) == set(study.seeds):
        return ""
    return f"no other run was compared; measure it with: {study.command('similarity')} --other=FOLDER"


FIGURES = (
    Figure(
        "similarity_epochs",
        "When each layer changes",
        "How similarly a layer arranges the same examples as it does at the best epoch (dotted line): 1 is the same up "
        "to rotation and scale. To the left the layers approach the network that generalizes best, to the right "
        "memorizing moves them away from it. Do late layers, light, move farther than early ones, dark, and farthest "
        "for permuted examples? Not in the paper.",
        ("metrics", "similarity"),
        draw_epochs,
        _no_course,
        remark=_remark_on_epochs,
    ),
    Figure(
        "similarity_layers",
        "Which layers are alike",
        "Every layer against every other on the same examples; the diagonal is 1. Neighboring layers that form a "
        "bright block represent the examples alike; between two blocks the representation changes. Look at which layer "
        "a change appears, or grows, from the best epoch to the final one, above all for permuted examples. Not in the "
        "paper.",
        ("metrics", "similarity"),
        draw_layers,
        _no_layers,
    ),
    Figure(
        "similarity_runs",
        "Where this network parts from another one",
        "Every layer against the same layer of another run on the same data, e.g. one without permuted labels, on the "
        "same examples, in groups by the labels of this run, both runs at their own final epoch (faded: at their own "
        "best epoch). Where the curves fall, the two networks part: in late layers, if memorizing happens there, most "
        "for permuted examples, and less at the best epoch. Without permuted labels a network is fitted after fewer "
        "epochs, so part of the difference is longer training. Not in the paper.",
        ("metrics", "similarity"),
        draw_runs,
        _no_other,
    ),
)
