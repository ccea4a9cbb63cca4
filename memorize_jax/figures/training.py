"""Accuracy by epoch (figure 2A)."""

import pathlib

import pandas as pd

from memorize_jax.figures.style import COLORS, STYLE, mark_epochs, plt, save


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
            mark_epochs(axis, best, final)
            axis.set_xlabel("epoch")
            axis.legend(frameon=False, loc="center right")
        axes[0].set_ylabel("accuracy (%)")
        axes[0].set_ylim(-3, 103)
        axes[0].set_title("training (assigned labels) and test", pad=16)
        axes[1].set_title("training examples by group", pad=16)
        return save(figure, path)
