"""Sole owner of matplotlib: the look of all figures, and how they are saved."""

import pathlib

import matplotlib

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
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
}


def save(figure, path: pathlib.Path) -> pathlib.Path:
    """Writes a figure whole and closes it; the same figure gives the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        figure.savefig(beside, metadata={"Date": None})
    plt.close(figure)
    return path


def mark_epochs(axis, best: int, final: int) -> None:
    """Marks the best and the final epoch on an axis of epochs."""
    for epoch, name in ((best, "best"), (final, "final")):
        axis.axvline(epoch, color="#888888", linewidth=1, linestyle=":")
        axis.text(epoch, 1.01, name, transform=axis.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
