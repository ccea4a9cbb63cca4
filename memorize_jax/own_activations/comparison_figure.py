"""Differences of two networks by layer, with their intervals."""

import pandas as pd

from memorize_jax.figures.joint import KINDS, LABELS
from memorize_jax.figures.style import Drawing, drawn, layer_axis, subplots


@drawn()
def draw_comparison(differences: pd.DataFrame, *, measures: tuple[str, ...] = tuple(LABELS)) -> Drawing:
    """Draws the difference of each measure by layer; a line at 0, where both are the same.

    Args:
      differences: of `Comparison.to_dataframe`.
      measures: those drawn, a panel each, if they are there.
    """
    layers = list(dict.fromkeys(differences["layer"]))
    there = [name for name in measures if name in set(differences["measure"])]
    rows = -(-len(there) // 2)
    figure, axes = subplots(rows, 2, figsize=(9.6, 1.2 + 2.8 * rows), sharex=True, squeeze=False)
    for measure, axis in zip(there, axes.flat, strict=False):
        own = differences[differences["measure"] == measure].set_index("layer").loc[layers]
        axis.axhline(0, color="#777777", linewidth=1)
        ends = [own["difference"] - own["low"], own["high"] - own["difference"]]
        axis.errorbar(range(len(layers)), own["difference"], ends, color="#0072B2", marker="o", markersize=4, capsize=3)
        if measure in KINDS:
            axis.set_title(KINDS[measure], fontsize=9)
        axis.set_ylabel(f"difference of\n{LABELS.get(measure, measure)}")
    for axis in list(axes.flat)[len(there) :]:
        axis.remove()
    for axis in list(axes.flat)[max(len(there) - 2, 0) : len(there)]:
        layer_axis(axis, layers)
        axis.tick_params(labelbottom=True)
    figure.suptitle("a - b, with 95 % intervals", fontsize=10)
    return figure
