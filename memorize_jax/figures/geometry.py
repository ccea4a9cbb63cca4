"""Geometry by layer (figure 3)."""

import pathlib

import pandas as pd

from memorize_jax.figures.style import COLORS, STYLE, plt, save

MARKERS = {"unpermuted": "o", "permuted": "s", "restored": "^", "test": "D"}
MEASURES = (
    ("capacity", "capacity α"),
    ("radius", "radius $R$ (centre distances)"),
    ("dimension", "dimension $D$"),
    ("center_correlation", "centre correlation ρ"),
)


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
        return save(figure, path)
