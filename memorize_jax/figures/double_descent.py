"""Accuracy and geometry by model size (figures 4C-E)."""

import pathlib

import pandas as pd

from memorize_jax.figures.style import STYLE, plt, save
from memorize_jax.intervals import student_t_interval

PANELS = (
    ("test_accuracy", "test accuracy", "C"),
    ("radius", "radius $R$", "D"),
    ("center_correlation", "centre correlation ρ", "D"),
    ("dimension", "dimension $D$", "E"),
    ("capacity", "capacity α", ""),
)
# Blue and orange as in the paper, of the palette of the other figures.
MOMENTS = {"best": "#0072B2", "final": "#D55E00"}


def draw_double_descent(table: pd.DataFrame, path: pathlib.Path) -> pathlib.Path:
    """Draws figures 4C-E: accuracy, and the geometry of the test manifolds at the last hidden layer, by parameters.

    Args:
      table: of the sweep; over several seeds curves are means, in bands of their 95 % Student-t intervals.
      path: of the figure.

    Returns:
      path.
    """
    widths = table.drop_duplicates("num_parameters").sort_values("num_parameters")
    layer = f"{table['layer'].iloc[0]} ({table['layer_number'].iloc[0]})"
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(PANELS), figsize=(2.9 * len(PANELS), 3.4))
        for axis, (column, label, letter) in zip(axes, PANELS, strict=True):
            for moment, color in MOMENTS.items():
                own = table[table["moment"] == moment]
                curve = own.pivot(index="seed", columns="num_parameters", values=column)
                found = student_t_interval(curve.to_numpy())
                axis.plot(curve.columns, found.mean, color=color, marker="o", markersize=4, label=f"{moment} epoch")
                axis.fill_between(curve.columns, found.low, found.high, color=color, alpha=0.2, linewidth=0)
            if column == "test_accuracy":
                final = table[table["moment"] == "final"].groupby("num_parameters")["train_accuracy"].mean()
                axis.plot(final.index, final, color=MOMENTS["final"], linestyle=":", label="final epoch, train")
            axis.set_xscale("log")
            axis.set_xlabel("parameters")
            axis.set_ylabel(label)
            axis.set_title(f"{letter}: {label}" if letter else label, fontsize=10, pad=22)
            above = axis.secondary_xaxis("top")
            above.set_xticks(widths["num_parameters"], widths["width"], fontsize=7)
            above.tick_params(which="minor", length=0, labelsize=0)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle(f"test manifolds at {layer}; above: width", fontsize=9)
        return save(figure, path)
