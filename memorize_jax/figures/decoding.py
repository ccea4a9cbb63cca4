"""What probes read in the layers (no figure of the paper)."""

import pathlib

import pandas as pd

from memorize_jax.figures.style import STYLE, plt, save

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
        return save(figure, path)


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
        return save(figure, path)
