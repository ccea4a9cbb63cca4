"""Measures by layer, or differences of two networks, with their intervals."""

import pandas as pd

from memorize_jax.figures.joint import KINDS, LABELS
from memorize_jax.figures.style import Drawing, drawn, layer_axis, subplots


@drawn()
def draw_intervals(table: pd.DataFrame, *, is_difference: bool = False) -> Drawing:
    """Draws each measure by layer with its 95 % interval, a panel each.

    Args:
      table: columns layer, measure, value, low, high.
      is_difference: whether values are differences of two networks; then a line is where both are the same.
    """
    layers = list(dict.fromkeys(table["layer"]))
    measures = [name for name in LABELS if name in set(table["measure"])]
    rows = -(-len(measures) // 2)
    figure, axes = subplots(rows, 2, figsize=(9.6, 1.2 + 2.8 * rows), sharex=True, squeeze=False)
    panels = list(axes.flat)
    for measure, axis in zip(measures, panels, strict=False):
        own = table[table["measure"] == measure].set_index("layer").loc[layers]
        ends = [own["value"] - own["low"], own["high"] - own["value"]]
        axis.errorbar(range(len(layers)), own["value"], ends, color="#0072B2", marker="o", markersize=4, capsize=3)
        axis.set_ylabel(f"difference of\n{LABELS[measure]}" if is_difference else LABELS[measure])
        if measure in KINDS:
            axis.set_title(KINDS[measure], fontsize=9)
        if is_difference:
            axis.axhline(0, color="#777777", linewidth=1)
    for axis in panels[len(measures) :]:
        axis.remove()
    for axis in panels[max(len(measures) - 2, 0) : len(measures)]:
        layer_axis(axis, layers)
        axis.tick_params(labelbottom=True)
    figure.suptitle(f"{'a - b' if is_difference else 'mean over the repeats'}, with 95 % intervals", fontsize=10)
    return figure
