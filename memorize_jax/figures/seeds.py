"""Geometry of an ensemble (figure 3): means over seeds with intervals."""

import pathlib

import pandas as pd

from memorize_jax.figures.geometry import MARKERS, MEASURES
from memorize_jax.figures.style import COLORS, STYLE, plt, save


def draw_geometry_over_seeds(summary: pd.DataFrame, floor: float, path: pathlib.Path) -> pathlib.Path:
    """Draws figure 3 for several seeds: each measure by layer and group, at the best and the final epoch.

    Args:
      summary: of `analysis.over_seeds` by stage, layer, layer_number and group.
      floor: 2/M, the lower bound of the capacity.
      path: of the figure.

    Returns:
      path.
    """
    layers = summary.sort_values("layer_number").drop_duplicates("layer")
    stages = list(dict.fromkeys(summary["stage"]))
    size = (2.8 * len(MEASURES), 2.7 * len(stages) + 0.9)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(len(stages), len(MEASURES), figsize=size, sharex=True, sharey="col", squeeze=False)
        for row, stage in enumerate(stages):
            for axis, (measure, label) in zip(axes[row], MEASURES, strict=True):
                chosen = summary[(summary["stage"] == stage) & (summary["measure"] == measure)]
                for group in [name for name in MARKERS if name in set(chosen["group"])]:
                    own = chosen[chosen["group"] == group].sort_values("layer_number")
                    style = {"color": COLORS[group], "marker": MARKERS[group], "markersize": 4, "label": group}
                    axis.plot(own["layer_number"], own["mean"], **style)
                    axis.fill_between(
                        own["layer_number"], own["low"], own["high"], color=COLORS[group], alpha=0.2, linewidth=0
                    )
                if measure == "capacity":
                    axis.axhline(floor, color="#888888", linestyle="--", linewidth=1, label="lower bound 2/M")
                axis.set_ylabel(label)
                axis.set_title(f"{stage} epoch, {chosen['num_seeds'].max()} seeds", fontsize=10)
                if row == len(stages) - 1:
                    axis.set_xlabel("layer")
                    axis.set_xticks(layers["layer_number"], layers["layer"], fontsize=8, rotation=60)
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        return save(figure, path)
