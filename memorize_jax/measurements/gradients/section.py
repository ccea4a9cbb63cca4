"""What the report says of the gradients."""

import pathlib
from collections.abc import Mapping

import pandas as pd

from memorize_jax.figures.curves import epoch_range
from memorize_jax.measurements.gradients.ratios import RATIOS, RatioRange, is_weighted, ratio_range
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view
from memorize_jax.studies.study import Study

# Column of the table -> letter of figure 5, title.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "dep_ind_unpermuted": ("d", "unpermuted: dep / ind"),
    "dep_ind_permuted": ("e", "permuted: dep / ind"),
    "dep": ("f", "dep: unpermuted / permuted"),
    "ind": ("g", "ind: unpermuted / permuted"),
}


# Letters of ratios between groups: where groups are weighted by their shares, these say how large the groups are.
BETWEEN = tuple(letter for letter, (above, below) in RATIOS.items() if above[0] != below[0])
WEIGHTED = (
    "Groups were weighted by their shares of the examples, so ratios between groups are left out; measure with "
    "--gradient_weighting=subset."
)


def _facts(study: Study) -> dict:
    """The words on figure 5: ranges of ratios over layers, and over seeds where there are several."""
    table = study.tables["gradients"]
    table = table[table["form"] == "eq15"]
    first, last = table.groupby("seed")["epoch"].min(), table.groupby("seed")["epoch"].max()
    weighted = is_weighted(study.tables["gradients"])
    return {
        "first": None if weighted else _pooled(table, first, "f"),
        "last": None if weighted else _pooled(table, last, "f"),
        "weighted": WEIGHTED if weighted else "",
        "first_epoch": epoch_range(first.unique()),
        "last_epoch": epoch_range(last.unique()),
        "unpermuted": _pooled(table, first, "d"),
        "permuted": _pooled(table, first, "e"),
        "num_seeds": len(first),
        "bn": ", ".join(table["bn"].unique()),
    }


def _pooled(table, epochs, letter) -> RatioRange | None:
    """The range over the layers of all seeds; the counts are of layers, those of all seeds together."""
    ranges = [ratio_range(table[table["seed"] == seed], epoch, *RATIOS[letter]) for seed, epoch in epochs.items()]
    found = [own for own in ranges if own is not None]
    if not found or len(found) < len(ranges):
        return None
    low, high = min(found, key=lambda own: own.low), max(found, key=lambda own: own.high)
    counts = (sum(own.num_above_one for own in found), sum(own.num_layers for own in found))
    return RatioRange(low.epoch, low.low, low.low_layer, high.high, high.high_layer, *counts)


def _gradients(study):
    table = study.tables["gradients"]
    table, parts = table[table["form"] == "eq15"], []
    for seed, own in table.groupby("seed"):
        for moment, epoch in (("first", own["epoch"].min()), ("last", own["epoch"].max())):
            rows = own[own["epoch"] == epoch].sort_values("layer_number")
            norms = rows.set_index(["layer", "group", "part"])["squared_norm"].unstack(["group", "part"], sort=False)
            found = pd.DataFrame({"layer": norms.index, "seed": seed, "moment": moment})
            for name, (letter, _) in COLUMNS.items():
                above, below = RATIOS[letter]
                there = above in norms and below in norms
                found[name] = (norms[above] / norms[below]).to_numpy() if there else float("nan")
            parts.append(found)
    weighted = is_weighted(study.tables["gradients"])
    shown = {name: title for name, (letter, title) in COLUMNS.items() if not (weighted and letter in BETWEEN)}
    numbers = {name: Number(title, ".3g") for name, title in shown.items()}
    texts = {"moment": "epoch measured", "layer": "layer"}
    note = "Ratios of squared norms of the label-dependent (dep) and label-independent (ind) parts, equation 15."
    note = f"{note} {WEIGHTED}" if weighted else note
    title = "Gradients"
    return make_view("gradients", title, pd.concat(parts), texts, numbers, note=note, whole=study.tables["gradients"])


SECTION = Section(
    "Where the gradient comes from",
    {"gradients": ((), _gradients)},
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("gradients",),
    facts=_facts,
)
