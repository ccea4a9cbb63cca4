"""Accuracy with rewound layers (figures 4A-B and A.9 to A.11)."""

import math

from memorize_jax.figures.curves import (
    between_note,
    draw_curve,
    epoch_range,
    epochs_note,
    heading,
    interpolated,
    seeds_note,
    subject,
)
from memorize_jax.figures.figure import Figure, sentences
from memorize_jax.figures.style import MARKER_CYCLE, Drawing, drawn, epoch_axis, shade, subplots
from memorize_jax.measurements.rewinding.sources import own_rows
from memorize_jax.measurements.rewinding.swap import SWAP, SWAP_WINDOWS
from memorize_jax.studies.study import Study

LEVEL = 0.95
# More curves of layers rewound together cannot be told apart.
MOST_SETS = 6
# More names than this in a column of the legend do not fit beside the axes.
MOST_NAMES = 24
ACCURACIES = {
    "train": "accuracy on assigned training labels (%)",
    "test": "accuracy on test (%)",
    "restored": "accuracy on true labels of permuted examples (%)",
}
# Layers rewound together: their number -> marker and dashes; more than three look alike.
SETS = {2: ("x", (0, (5, 2))), 3: ("+", (0, (1.5, 1.5)))}
MANY = (".", (0, (6, 1, 1, 1)))


def _into_final(study):
    """The rows of the run's own layers, of windows in all places only if they are few."""
    table = own_rows(study.tables["rewinding"])
    table = table[table["into"] == "final"]
    is_set = table["num_layers"] > 1
    many = table.loc[is_set, "layer"].nunique() > MOST_SETS
    return table[~is_set] if many and not is_set.all() else table


def _measured(study, group):
    """The rows that tell of a group: a run may lack it, and a damaged network has no number."""
    return _into_final(study).dropna(subset=f"{group}_accuracy")


def _curve(rows, column):
    """The curve of one layer; where seeds begin, or end, at epochs of their own, these stand at their mean."""
    curve = interpolated(rows, "rewind_epoch", column)
    by_seed = rows.sort_values("rewind_epoch").groupby("seed")
    for end in (by_seed.first(), by_seed.last()):
        if not curve.values.empty and end["rewind_epoch"].nunique() > 1:
            curve = curve.with_place(float(end["rewind_epoch"].mean()), end[column])
    return curve


def _reaches_final(study, group):
    """Whether the final epoch is among the rewind epochs of every seed, so that curves end with the final network."""
    rewinding = _measured(study, group)
    ends = rewinding[rewinding["rewind_epoch"] == rewinding["seed"].map(study.epochs_of("final"))]
    return set(ends["seed"]) == set(study.seeds)


@drawn()
def draw_rewinding(study: Study, *, group: str) -> Drawing:
    """Draws the accuracy of a group by rewind epoch, a curve per layer, from dark (first) to light (last)."""
    rewinding, column = _measured(study, group), f"{group}_accuracy"
    order = rewinding.sort_values(["num_layers", "layer_number"]).drop_duplicates("layer")
    singles, fewest, start = (order["num_layers"] == 1).sum(), len(study.seeds), math.inf
    columns = -(-len(order) // MOST_NAMES)
    figure, axis = subplots(figsize=(5.9 + 1.3 * columns, 4.6))
    for index, row in enumerate(order.itertuples()):
        curve = _curve(rewinding[rewinding["layer"] == row.layer], column)
        start = min(start, *curve.values.columns)
        style = {"color": shade(index, singles), "marker": MARKER_CYCLE[index % len(MARKER_CYCLE)]}
        if row.num_layers > 1:
            marker, dashes = SETS.get(row.num_layers, MANY)
            style = {"color": "#666666", "linestyle": dashes, "marker": marker}
        label = row.layer if row.num_layers < 4 else f"{row.num_layers} layers from {row.layer.split('+')[0]}"
        style |= {"label": label, "markersize": 4}
        fewest = min(fewest, draw_curve(axis, curve, level=LEVEL, scale=100, **style))
    # Curves need not reach it.
    final = study.at_stage("metrics", "final")[column].mean(skipna=False)
    axis.axhline(100 * final, color="black", linewidth=1, label="final network")
    if group != "train":
        # Of every seed its own peak.
        peak = study.tables["metrics"].groupby("seed")[column].max().mean(skipna=False)
        text = "best epoch of training" if group == "test" else "its highest while training"
        axis.axhline(100 * peak, color="black", linewidth=1, linestyle=(0, (1, 2)), label=text)
    epoch_axis(axis, rewinding["rewind_epoch"].max(), "rewind epoch", first=math.floor(start))
    axis.set_ylabel(ACCURACIES[group])
    look = {"loc": "outside right upper", "frameon": False, "fontsize": 7.5, "title_fontsize": 8}
    figure.legend(title="rewound", ncols=columns, **look)
    end = f"right end: {epochs_note(study, 'final')}" if _reaches_final(study, group) else ""
    # One line is too long beside the names.
    between = between_note(rewinding, "rewind_epoch", column, ("layer",)).replace("; ", ";\n")
    heading(figure, subject(study), seeds_note(study, LEVEL, fewest), between, end)
    return figure


def _obstacle(study: Study, *, group: str) -> str:
    if group == "restored" and study.permuted_fraction == 0:
        return "no labels were permuted"
    if _into_final(study).empty:
        ask = f"{study.command('rewinding')} --rewind_into=final"
        return f"layers were put into earlier networks only; rewind the final one with: {ask}"
    rewinding = _measured(study, group)
    if rewinding.empty:
        return f"the run has no accuracy on {ACCURACIES[group].removeprefix('accuracy on ').removesuffix(' (%)')}"
    # Accuracies of single seeds at epochs of their own are no mean over seeds.
    for layer, rows in rewinding.groupby("layer", sort=False):
        if _curve(rows, f"{group}_accuracy").values.empty:
            ask = f"{study.command('rewinding')} --rewind_epochs=log,best,final"
            return f"{layer} was rewound to no epoch that all seeds reach; rewind to more with: {ask}"
    return ""


def _remark(study: Study, *, group: str) -> str:
    reaches, at = _reaches_final(study, group), "at the mean of these epochs."
    epochs = [set(own) for _, own in _measured(study, group).groupby("seed")["rewind_epoch"]]
    firsts, lasts = {min(own) for own in epochs}, {max(own) for own in epochs}
    low, high = max(firsts), min(lasts)
    late = "The final epoch is not among those rewound to, so the curves end before the final network."
    begin = (
        f"The first epochs rewound to differ between seeds ({epoch_range(firsts)}): at the left end of a curve stands "
    )
    begin += f"the mean of these networks, {at}"
    end = f"The last epochs rewound to differ between seeds ({epoch_range(lasts)})"
    end = f"{'Seeds ended at different epochs' if reaches else end}: at the right end of a curve stands the mean of "
    end += f"their {'final' if reaches else 'last'} networks, {at}"
    left_out = f"Further epochs before {low} or after {high}, where not all seeds have a curve, are not drawn."
    straight = "Where a seed was not rewound to an epoch of the others, its curve is taken as straight."
    said = {late: not reaches, begin: len(firsts) > 1, end: len(lasts) > 1}
    said[left_out] = any(not low <= epoch <= high for own in epochs for epoch in own - {min(own), max(own)})
    said[straight] = any(own != epochs[0] for own in epochs)
    return sentences(*(text for text, is_so in said.items() if is_so))


def _entry(name, title, look_for, group):
    about = (name, title, look_for, ("metrics", "rewinding"), draw_rewinding, _obstacle)
    aliases = {} if group == "restored" else {"figa9": "alexnet", "figa10": "resnet18", "figa11": "vgg16"}
    return Figure(*about, aliases=aliases, remark=_remark).of(group=group)


FIGURES = (
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
        "Where a curve rises above the thin black line, the final network, toward the peak of early stopping, the "
        "dotted line, rewinding that layer undoes memorization. In the paper the last convolution gets back to more "
        "than 90 % of the peak, and early layers approach the final accuracy monotonically.",
        "test",
    ),
    _entry(
        "rewinding_restored",
        "Rewinding one layer: true labels of the permuted examples",
        "The same for what the network knows of permuted examples against the labels it was taught: where a rewound "
        "layer lifts the curve, memorization of wrong labels sat in that layer. Not in the paper.",
        "restored",
    ),
    SWAP,
    SWAP_WINDOWS,
)
