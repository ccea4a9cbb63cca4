"""Sole owner of matplotlib: draws figures from result tables."""

import pathlib

import matplotlib
import pandas as pd

from memorize_jax.atomic import replacing

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# Okabe-Ito: distinct for the colour-blind and in print. One colour per group in every figure.
COLORS = {
    "unpermuted": "#0072B2",
    "permuted": "#D55E00",
    "restored": "#009E73",
    "test": "#AA4499",
    "train": "#555555",
}
MARKERS = {"unpermuted": "o", "permuted": "s", "restored": "^", "test": "D"}
MEASURES = (
    ("capacity", "capacity α"),
    ("radius", "radius $R$ (centre distances)"),
    ("dimension", "dimension $D$"),
    ("center_correlation", "centre correlation ρ"),
)
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
}


def _save(figure, path: pathlib.Path) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        figure.savefig(beside, metadata={"Date": None})
    plt.close(figure)
    return path


def _mark(axis, best, final):
    for epoch, name in ((best, "best"), (final, "final")):
        axis.axvline(epoch, color="#888888", linewidth=1, linestyle=":")
        axis.text(epoch, 1.01, name, transform=axis.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)


def draw_training(metrics: pd.DataFrame, best: int, final: int, path: pathlib.Path) -> pathlib.Path:
    """Draws figure 2A: accuracy by epoch, on train and test and on the groups.

    Args:
      metrics: table of one run.
      best: best epoch.
      final: final epoch.
      path: of the figure.

    Returns:
      path.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), sharey=True)
        for axis, groups in zip(axes, (("train", "test"), ("unpermuted", "permuted", "restored")), strict=True):
            for group in groups:
                axis.plot(metrics["epoch"], 100 * metrics[f"{group}_accuracy"], color=COLORS[group], label=group)
            _mark(axis, best, final)
            axis.set_xlabel("epoch")
            axis.legend(frameon=False, loc="center right")
        axes[0].set_ylabel("accuracy (%)")
        axes[0].set_ylim(-3, 103)
        axes[0].set_title("training (assigned labels) and test", pad=16)
        axes[1].set_title("training examples by group", pad=16)
        return _save(figure, path)


def draw_geometry(geometry: pd.DataFrame, epochs: dict[str, int], path: pathlib.Path) -> pathlib.Path:
    """Draws figure 3: the four measures by layer for the four groups, one row per epoch.

    Args:
      geometry: table of one run.
      epochs: title of the row -> epoch.
      path: of the figure.

    Returns:
      path.
    """
    layers = geometry.sort_values("layer_number").drop_duplicates("layer")
    floor = 2 / geometry["examples_per_class"].min()
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(epochs),
            len(MEASURES),
            figsize=(2.8 * len(MEASURES), 2.7 * len(epochs) + 0.9),
            sharex=True,
            squeeze=False,
        )
        for row, (title, epoch) in enumerate(epochs.items()):
            rows = geometry[geometry["epoch"] == epoch].sort_values("layer_number")
            for axis, (measure, label) in zip(axes[row], MEASURES, strict=True):
                for group in [name for name in MARKERS if name in set(rows["group"])]:
                    own = rows[rows["group"] == group]
                    style = {"color": COLORS[group], "marker": MARKERS[group], "markersize": 4, "label": group}
                    if measure == "capacity":
                        # Two standard errors: the sampling noise of the draws, not of the seeds.
                        axis.errorbar(own["layer_number"], own[measure], 2 * own["capacity_standard_error"], **style)
                    else:
                        axis.plot(own["layer_number"], own[measure], **style)
                if measure == "capacity":
                    axis.axhline(floor, color="#888888", linestyle="--", linewidth=1, label="lower bound 2/M")
                    axis.set_ylim(bottom=0)
                axis.set_ylabel(label)
                axis.set_title(f"{title} (epoch {epoch})", fontsize=10)
                if row == len(epochs) - 1:
                    axis.set_xlabel("layer")
                    axis.set_xticks(layers["layer_number"], layers["layer"], fontsize=8, rotation=60)
        # The same measure has the same scale at both epochs, so rows compare by eye.
        for column in range(len(MEASURES)):
            limits = [axis.get_ylim() for axis in axes[:, column]]
            for axis in axes[:, column]:
                axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        return _save(figure, path)


# Method of results/decoding.csv -> (colour, marker, name in a legend); what is not here is in the table only.
METHODS = {
    "masc": ("#0072B2", "o", "subspaces, 99 % of variance"),
    "masc_0.75": ("#56B4E9", "s", "subspaces, 75 %"),
    "masc_1": ("#009E73", "^", "one direction"),
    "class_mean": ("#E69F00", "D", "class mean"),
    "lda": ("#D55E00", "v", "linear discriminant"),
    "knn": ("#999999", "P", "nearest neighbours"),
    "logistic": ("#AA4499", "X", "logistic regression"),
}
LABELS = {"assigned": "probes fitted to assigned labels", "true": "probes fitted to true labels"}


def draw_decoding(decoding: pd.DataFrame, epochs: dict[str, int], path: pathlib.Path) -> pathlib.Path:
    """Draws test accuracy by layer of every probe, one row per epoch, one column per kind of labels.

    Args:
      decoding: table of one run.
      epochs: title of the row -> epoch.
      path: of the figure.

    Returns:
      path.
    """
    layers = decoding[decoding["method"] == "masc"].sort_values("layer_number").drop_duplicates("layer")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(epochs), 2, figsize=(10, 3 * len(epochs) + 0.9), sharex=True, sharey=True, squeeze=False
        )
        for row, (title, epoch) in zip(axes, epochs.items(), strict=True):
            for axis, (labels, text) in zip(row, LABELS.items(), strict=True):
                own = decoding[(decoding["epoch"] == epoch) & (decoding["labels"] == labels)]
                for method, (color, marker, name) in METHODS.items():
                    rows = own[own["method"] == method].sort_values("layer_number")
                    style = {"color": color, "marker": marker, "markersize": 4, "label": name}
                    axis.plot(rows["layer_number"], 100 * rows["test_accuracy"], **style)
                network = decoding[(decoding["epoch"] == epoch) & (decoding["method"] == "network")]
                for accuracy in network["test_accuracy"]:
                    axis.axhline(100 * accuracy, color="black", linestyle="--", linewidth=1, label="the network itself")
                axis.set_title(f"{title} (epoch {epoch}), {text}", fontsize=10)
            row[0].set_ylabel("test accuracy (%)")
        for axis in axes[-1]:
            axis.set_xlabel("layer")
            axis.set_xticks(layers["layer_number"], layers["layer"], fontsize=8, rotation=60)
        handles, names = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
        return _save(figure, path)


def draw_decoding_dynamics(decoding: pd.DataFrame, path: pathlib.Path) -> pathlib.Path:
    """Draws test accuracy of subspaces by epoch, one line per layer, beside the network's own and its edited head's.

    Args:
      decoding: table of one run.
      path: of the figure.

    Returns:
      path.
    """
    layers = decoding[decoding["method"] == "masc"].sort_values("layer_number").drop_duplicates("layer")
    shades = plt.get_cmap("viridis")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
        for axis, (labels, text) in zip(axes, LABELS.items(), strict=True):
            own = decoding[decoding["labels"] == labels].sort_values("epoch")
            for index, layer in enumerate(layers["layer"]):
                rows = own[(own["method"] == "masc") & (own["layer"] == layer)]
                color = shades(index / max(len(layers) - 1, 1))
                axis.plot(rows["epoch"], 100 * rows["test_accuracy"], color=color, marker=".", label=layer)
            edited = own[own["method"] == "edited_network"]
            network = decoding[decoding["method"] == "network"].sort_values("epoch")
            axis.plot(edited["epoch"], 100 * edited["test_accuracy"], "k:", label="network, head replaced")
            axis.plot(network["epoch"], 100 * network["test_accuracy"], "k--", label="the network itself")
            # Linear up to epoch 1, for epoch 0 has no logarithm.
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlabel("epoch")
            axis.set_title(text, fontsize=10)
        axes[0].set_ylabel("test accuracy (%)")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
        return _save(figure, path)
