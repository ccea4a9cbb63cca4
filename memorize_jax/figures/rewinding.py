"""Accuracy with rewound layers (figures 4A-B and A.9 to A.11)."""

import pathlib

import pandas as pd

from memorize_jax.figures.style import STYLE, plt, save
from memorize_jax.intervals import student_t_interval

PANELS = (
    ("train_accuracy", "train (assigned labels)"),
    ("test_accuracy", "test"),
    ("restored_accuracy", "restored (true labels)"),
)


def draw_rewinding(rewinding: pd.DataFrame, best_test_accuracy: float, path: pathlib.Path) -> pathlib.Path:
    """Draws figure 4A-B: accuracy on train and test by rewind epoch, a curve per layer; and on restored labels.

    Args:
      rewinding: table of one run, or of runs that differ in the seed: then curves are means, in bands of their 95 %
        Student-t intervals.
      best_test_accuracy: peak of early stopping, the horizontal line of the test panel.
      path: of the figure.

    Returns:
      path.
    """
    order = rewinding.sort_values(["num_layers", "layer_number"]).drop_duplicates("layer")
    depth = order.loc[order["num_layers"] == 1, "layer_number"]
    low, high = (depth.min(), depth.max()) if len(depth) else (0, 1)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(PANELS), figsize=(3.9 * len(PANELS), 3.8), sharex=True)
        for axis, (column, title) in zip(axes, PANELS, strict=True):
            for row in order.itertuples():
                curve = rewinding[rewinding["layer"] == row.layer].pivot(
                    index="seed", columns="rewind_epoch", values=column
                )
                found = student_t_interval(100 * curve.to_numpy())
                # From dark blue for the first layer to yellow for the last, as in the paper; sets are dashed.
                shade = 0.95 * (row.layer_number - low) / max(high - low, 1)
                style = {"color": plt.get_cmap("viridis")(shade)} if row.num_layers == 1 else {"color": "#666666"}
                dashes = "-" if row.num_layers == 1 else (0, (5, row.num_layers))
                label = f"{row.layer} ({row.layer_number})" if row.num_layers == 1 else row.layer
                axis.plot(curve.columns, found.mean, marker=".", linestyle=dashes, label=label, **style)
                axis.fill_between(curve.columns, found.low, found.high, alpha=0.2, linewidth=0, **style)
            # Epoch 0, the untrained network, has its place on the axis.
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlim(left=0)
            axis.set_xlabel("rewind epoch")
            axis.set_title(title)
        axes[1].axhline(100 * best_test_accuracy, color="#888888", linestyle=":", label="best epoch of training")
        axes[0].set_ylabel("accuracy (%)")
        handles, labels = axes[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
        return save(figure, path)
