"""Accuracy with rewound layers (figures 4A-B and A.9 to A.11)."""

import functools
import pathlib

from memorize_jax.figures.curves import by_seed, draw_mean, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import MARKER_CYCLE, STYLE, epoch_axis, plt, save, shade
from memorize_jax.study import Study, command

LEVEL = 0.95
ACCURACIES = {
    "train": "accuracy on assigned training labels (%)",
    "test": "accuracy on test (%)",
    "restored": "accuracy on true labels of permuted examples (%)",
}


# Layers rewound together: their number -> marker and dashes; more than three look alike.
SETS = {2: ("x", (0, (5, 2))), 3: ("+", (0, (1.5, 1.5)))}
MANY = (".", (0, (6, 1, 1, 1)))


def _into_final(study):
    table = study.tables["rewinding"]
    return table[table["into"] == "final"]


def draw_rewinding(study: Study, path: pathlib.Path, *, group: str) -> pathlib.Path:
    """Draws accuracy by rewind epoch, a curve per layer, from dark for the first to light for the last.

    Args:
      study: a run or an ensemble.
      path: of the figure.
      group: whose accuracy, of `ACCURACIES`.

    Returns:
      path.
    """
    rewinding, column = _into_final(study), f"{group}_accuracy"
    order = rewinding.sort_values(["num_layers", "layer_number"]).drop_duplicates("layer")
    singles = (order["num_layers"] == 1).sum()
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(7.2, 4.6))
        for index, row in enumerate(order.itertuples()):
            wide = by_seed(rewinding[rewinding["layer"] == row.layer], "rewind_epoch", column)
            style = {"color": shade(index, singles), "marker": MARKER_CYCLE[index % len(MARKER_CYCLE)]}
            if row.num_layers > 1:
                marker, dashes = SETS.get(row.num_layers, MANY)
                style = {"color": "#666666", "linestyle": dashes, "marker": marker}
            label = row.layer if row.num_layers < 4 else f"{row.num_layers} layers from {row.layer.split('+')[0]}"
            draw_mean(axis, wide.columns, wide, level=LEVEL, scale=100, label=label, markersize=4, **style)
        if group != "train":
            # Of every seed its own peak.
            peak = study.tables["metrics"].groupby("seed")[column].max().mean()
            text = "best epoch of training" if group == "test" else "its highest while training"
            axis.axhline(100 * peak, color="black", linewidth=1, linestyle=(0, (1, 2)), label=text)
        epoch_axis(axis, rewinding["rewind_epoch"].max(), "rewind epoch")
        axis.set_ylabel(ACCURACIES[group])
        figure.legend(loc="outside right upper", frameon=False, fontsize=7.5, title="rewound", title_fontsize=8)
        heading(figure, subject(study), seeds_note(study, LEVEL))
        return save(figure, path)


def _obstacle(study: Study) -> str:
    if not _into_final(study).empty:
        return ""
    return (
        "layers were put into earlier networks only; rewind the final one with: "
        f"{command('rewinding', study.workdir)} --rewind_into=final"
    )


def _entry(name, title, look_for, group, obstacle=_obstacle):
    draw = functools.partial(draw_rewinding, group=group)
    return Figure(name, title, look_for, ("metrics", "rewinding"), draw, obstacle)


def _restored_obstacle(study: Study) -> str:
    return "no labels were permuted" if study.permuted_fraction == 0 else _obstacle(study)


FIGURES_OF_REWINDING = (
    _entry(
        "fig4a",
        "Rewinding one layer: accuracy on the training labels",
        "The final network with the parameters of one layer (or of a few together, dashed) as they were at an earlier "
        "epoch. In the paper early layers, dark, approach the final accuracy late, last layers, light, soon.",
        "train",
    ),
    _entry(
        "fig4b",
        "Rewinding one layer: accuracy on test",
        "Where a curve rises above its right end towards the peak of early stopping, the dotted line, rewinding that "
        "layer undoes memorisation. In the paper the last convolution gets back to more than 90 % of the peak, and "
        "early layers only approach the final accuracy from below.",
        "test",
    ),
    _entry(
        "rewinding_restored",
        "Rewinding one layer: true labels of the permuted examples",
        "The same for what the network knows of permuted examples against the labels it was taught: where a rewound "
        "layer lifts the curve, memorisation of wrong labels sat in that layer. Not in the paper.",
        "restored",
        _restored_obstacle,
    ),
)
