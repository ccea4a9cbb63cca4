"""What probes read in the layers (no figure of the paper)."""

import numpy as np

from memorize_jax.figures.curves import (
    between_note,
    draw_curve,
    draw_mean,
    epoch_range,
    heading,
    interpolated,
    seeds_note,
    subject,
)
from memorize_jax.figures.figure import Figure, not_measured
from memorize_jax.figures.style import (
    MARKER_CYCLE,
    Drawing,
    drawn,
    epoch_axis,
    layer_axis,
    legend_below,
    shade,
    subplots,
)
from memorize_jax.studies.study import Study

# Method of results/decoding.csv -> (color, marker, name in a legend); what is not here is in the table only.
METHODS = {
    "masc": ("#0072B2", "o", "subspaces, 99 % of variance"),
    "masc_0.75": ("#56B4E9", "s", "subspaces, 75 %"),
    "masc_1": ("#009E73", "^", "one direction"),
    "class_mean": ("#E69F00", "D", "class mean"),
    "lda": ("#D55E00", "v", "linear discriminant"),
    "knn": ("#999999", "P", "nearest neighbors"),
    "logistic": ("#AA4499", "X", "logistic regression"),
}
LABELS = {"assigned": "probes fitted to assigned labels", "true": "probes fitted to true labels"}
LEVEL = 0.95


def _layers(decoding):
    layers = decoding[decoding["method"] == "masc"].sort_values("layer_number").drop_duplicates("layer")
    return layers["layer"].tolist()


def _moments(study):
    """Title -> the rows of each seed's own epoch; only those that were read with all methods."""
    decoding = study.tables["decoding"]
    thorough = set(zip(*(study.tables["decoding_choice"][name] for name in ("seed", "epoch")), strict=True))
    epochs = {"untrained": dict.fromkeys(study.seeds, 0)}
    epochs |= {f"{stage} epoch": study.epochs_of(stage) for stage in ("best", "final")}
    return {
        f"{title} ({epoch_range(own.values())})": decoding[decoding["epoch"] == decoding["seed"].map(own)]
        for title, own in epochs.items()
        if thorough.issuperset(own.items())
    }


@drawn()
def draw_decoding(study: Study) -> Drawing:
    """Draws test accuracy by layer of every probe, one row per epoch, one column per kind of labels."""
    layers, moments, fewest = _layers(study.tables["decoding"]), _moments(study), len(study.seeds)
    size = (10, 2.7 * len(moments) + 1.4)
    figure, axes = subplots(len(moments), 2, figsize=size, sharex=True, sharey=True, squeeze=False)
    for row, (title, rows) in zip(axes, moments.items(), strict=True):
        for axis, (labels, text) in zip(row, LABELS.items(), strict=True):
            own = rows[rows["labels"] == labels]
            for method, (color, marker, name) in METHODS.items():
                here = own[own["method"] == method]
                wide = here.pivot(index="seed", columns="layer", values="test_accuracy").reindex(columns=layers)
                style = {"color": color, "marker": marker, "markersize": 4, "label": name}
                if len(wide):
                    fewest = min(fewest, draw_mean(axis, range(len(layers)), wide, level=LEVEL, scale=100, **style))
            network = 100 * rows.loc[rows["method"] == "network", "test_accuracy"].mean()
            if np.isfinite(network):
                axis.axhline(network, color="black", linestyle="--", linewidth=1, label="the network itself")
            axis.set_title(f"{title}, {text}", fontsize=10)
        row[0].set_ylabel("accuracy on test (%)")
    for axis in axes[-1]:
        layer_axis(axis, layers)
    legend_below(figure, axes[0][:1], 4)
    heading(figure, subject(study), seeds_note(study, LEVEL, fewest))
    return figure


@drawn()
def draw_decoding_dynamics(study: Study) -> Drawing:
    """Draws test accuracy of subspaces by epoch, one line per layer, beside the network's own and its edited head's."""
    decoding = study.tables["decoding"]
    layers, counts, starts = _layers(decoding), [len(study.seeds)], []
    figure, axes = subplots(1, 2, figsize=(10, 4.6), sharey=True)
    for axis, (labels, text) in zip(axes, LABELS.items(), strict=True):
        own = decoding[decoding["labels"] == labels]
        curves = []
        for index, layer in enumerate(layers):
            marker = MARKER_CYCLE[index % len(MARKER_CYCLE)]
            style = {"color": shade(index, len(layers)), "marker": marker, "markersize": 3.5, "label": layer}
            curves.append((own[(own["method"] == "masc") & (own["layer"] == layer)], style))
        style = {"color": "black", "linestyle": ":", "label": "network, head replaced"}
        curves.append((own[own["method"] == "edited_network"], style))
        style = {"color": "black", "linestyle": "--", "label": "the network itself"}
        curves.append((decoding[decoding["method"] == "network"], style))
        for rows, style in curves:
            if len(rows):
                curve = interpolated(rows, "epoch", "test_accuracy")
                starts += list(curve.values.columns[:1])
                counts.append(draw_curve(axis, curve, level=LEVEL, scale=100, **style))
        epoch_axis(axis, decoding["epoch"].max(), first=min(starts))
        axis.set_title(text, fontsize=10)
    axes[0].set_ylabel("accuracy on test (%)")
    legend_below(figure, axes[:1], 6, fontsize=8.5)
    title = f"subspaces of 99 % of the variance: {subject(study)}"
    of_curves = decoding[decoding["method"].isin(["masc", "edited_network", "network"])]
    between = between_note(of_curves, "epoch", "test_accuracy", ("method", "labels", "layer"))
    heading(figure, title, seeds_note(study, LEVEL, min(counts)), between)
    return figure


def _obstacle(study: Study) -> str:
    if _moments(study):
        return ""
    return not_measured(study, "decoding_choice", study.epochs_of("final"), "--decoding_epochs=0,best,final")


def _obstacle_of_dynamics(study: Study) -> str:
    decoding = study.tables["decoding"]
    # A line of one point cannot be seen.
    for layer in _layers(decoding):
        rows = decoding[
            (decoding["method"] == "masc") & (decoding["layer"] == layer) & (decoding["labels"] == "assigned")
        ]
        count = interpolated(rows, "epoch", "test_accuracy").values.shape[1]
        if count < 2:
            epochs = f"{count} epoch{'' if count == 1 else 's'}{' of all seeds' if len(study.seeds) > 1 else ''}"
            found = f"{layer} was read at {epochs}, and a curve needs two"
            return f"{found}; read more with: {study.command('decoding')} --decoding_epochs=0,best,final"
    return ""


FIGURES = (
    Figure(
        "decoding_layers",
        "What probes read in the layers",
        "Where a probe's curve lies above the dashed line, a layer knows more about the test images than the network's "
        "own output, although the probe was fitted to the same permuted labels (left). Not in the paper: this repeats "
        "and extends Ketha and Ramaswamy (2025).",
        ("metrics", "decoding", "decoding_choice"),
        draw_decoding,
        _obstacle,
    ),
    Figure(
        "decoding_epochs",
        "What probes read while the network trains",
        "Where the network, dashed, loses to memorization what it knew of the true labels, a layer whose curve stays "
        "up keeps it. The dotted line is the network with its last layer replaced. Not in the paper.",
        ("decoding",),
        draw_decoding_dynamics,
        _obstacle_of_dynamics,
    ),
)
