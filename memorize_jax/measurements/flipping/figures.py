"""How many units must be switched off to flip a prediction, and in which layers they are."""

import numpy as np

from memorize_jax.figures.curves import draw_mean, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import (
    FLOOR,
    Drawing,
    drawn,
    epoch_ticks,
    group_style,
    layer_axis,
    legend_below,
    subplots,
)
from memorize_jax.measurements.flipping.counts import ANY, median_flipped
from memorize_jax.studies.study import Study

LEVEL = 0.95


def _kinds(table):
    """("permuted", their rows), and the same of unpermuted examples; those of which there are any."""
    is_permuted = table["is_permuted"].astype(bool)
    groups = {"permuted": table[is_permuted], "unpermuted": table[~is_permuted]}
    return [(name, rows) for name, rows in groups.items() if len(rows)]


def _shares_flipped(rows, numbers):
    """[seeds, numbers]: share of the examples that flipped with at most so many units off."""
    flipped = rows["num_flipped"].where(rows["is_flipped"].astype(bool), np.inf)
    by_seed = [own.to_numpy() for _, own in flipped.groupby(rows["seed"])]
    return np.array([[np.mean(own <= number) for number in numbers] for own in by_seed])


def _count_axis(axis, last):
    """Makes an axis logarithmic, with round numbers."""
    ticks = epoch_ticks(1, min(last, 50)) + epoch_ticks(51, last)
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_ticks(ticks, [str(tick) for tick in ticks])
    axis.set_ticks([], minor=True)


def _draw_by_layer(axis, table, values_of, layers):
    """Draws, for each kind of examples, what a function gives by seed and layer.

    Returns the largest of it, and for each kind the fewest seeds that a point is a mean of.
    """
    largest, counts = 1.0, []
    for name, rows in _kinds(table):
        wide = values_of(rows).unstack("layer").reindex(columns=layers)
        style: dict = group_style(name) | {"label": f"{name} examples", "level": LEVEL}
        counts.append(draw_mean(axis, range(len(layers)), wide, **style))
        largest = max(largest, wide.max(axis=None))
    layer_axis(axis, layers)
    return largest, counts


def _medians_of_all_seeds(rows):
    """`median_flipped`, NaN at layers where that of any seed is beyond the limit: a mean of the others is too low."""
    medians = median_flipped(rows)
    return medians.where(medians.notna().groupby("layer").transform("all"))


@drawn()
def draw_flipping(study: Study) -> Drawing:
    """Draws how many units flip a prediction, how many of one layer alone do, and in which layers they are."""
    table, shares = study.tables["flipping"], study.tables["flipping_layers"]
    of_any, of_one = table[table["layer"] == ANY], table[table["layer"] != ANY]
    hidden = shares.sort_values("layer_number")["layer"].drop_duplicates().tolist()
    count = 2 + (len(of_one) > 0)
    figure, (first, *between, last) = subplots(1, count, figsize=(0.4 + 3.7 * count, 4.4))
    numbers, counts = np.arange(1, of_any["num_flipped"].max() + 1), [len(study.seeds)]
    for name, rows in _kinds(of_any):
        style: dict = group_style(name, markers=False) | {"label": f"{name} examples", "drawstyle": "steps-post"}
        style |= {"level": LEVEL, "scale": 100, "band": False}
        counts.append(draw_mean(first, numbers, _shares_flipped(rows, numbers), **style))
    first.set(xlabel="units switched off, of any layer", ylabel="examples flipped (%)", ylim=(0, 102))
    first.set_title("any layer", fontsize=10)
    _count_axis(first.xaxis, numbers[-1])
    for axis in between:
        most, of_medians = _draw_by_layer(axis, of_one, _medians_of_all_seeds, hidden)
        counts += of_medians
        axis.set(ylabel="units to switch off, median")
        axis.set_title("one layer alone", fontsize=10)
        _count_axis(axis.yaxis, most)
    _, of_shares = _draw_by_layer(last, shares, lambda rows: 100 * rows.set_index(["seed", "layer"])["share"], hidden)
    counts += of_shares
    sizes = shares.groupby("layer")["share_of_units"].mean().reindex(hidden)
    last.plot(range(len(hidden)), 100 * sizes.to_numpy(float), label="share of all units", **FLOOR)
    last.set(ylabel="share of the units switched off (%)", ylim=(0, 102))
    last.set_title("any layer: where they are", fontsize=10)
    legend_below(figure, (first, last), 3)
    heading(figure, subject(study), seeds_note(study, LEVEL, min(counts)))
    return figure


FIGURES = (
    Figure(
        "flipping",
        "Units that hold a prediction",
        "Left: whether memorized wrong labels, orange, hang on fewer units than unpermuted labels. Middle: how many it "
        "takes where only those of one layer may go; an example that does not flip within the limit counts as beyond "
        "it, and a layer where half of the examples of any seed do not has no point. Right: in which layers the units "
        "are that flip the examples at the left; above the dashed line a layer has more than its share. Maini et al. "
        "(2023) find few, in all layers.",
        ("flipping", "flipping_layers"),
        draw_flipping,
    ),
)
