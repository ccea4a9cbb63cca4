"""What the report says of neuron flipping."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.measurements.flipping.counts import ANY, least_median_flipped, median_flipped
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view
from memorize_jax.studies.study import Study

# Column -> what an accuracy lost by switching off units is called.
LOSSES = {"unpermuted": "unpermuted_accuracy", "permuted": "permuted_accuracy"}


def _facts(study: Study) -> dict | None:
    """How many units it takes, and what their removal costs others; means over seeds."""
    table = study.tables["flipping"]
    table = table[table["layer"] == ANY]
    kinds = {}
    for kind, name in ((True, "permuted"), (False, "unpermuted")):
        own = table[table["is_permuted"].astype(bool) == kind]
        if len(own):
            lost = {group: float((own[f"{column}_before"] - own[column]).mean()) for group, column in LOSSES.items()}
            beyond = median_flipped(own).isna()
            # A seed whose median is beyond the limit stays in the mean, which then is more than this.
            median = {"median": least_median_flipped(own).mean(), "beyond": int(beyond.sum()), "seeds": len(beyond)}
            kinds[name] = {"count": len(own), "lost": lost, **median}
    shares = study.tables["flipping_layers"]
    own = shares[shares["is_permuted"].astype(bool)]
    largest = own.groupby("layer", sort=False)["share"].mean()
    return {"kinds": kinds, "top": _most(largest)}


def _most(shares: pd.Series) -> dict | None:
    """The layers with the largest share, several where they are equal, and whether others have less."""
    if shares.empty:
        return None
    are_most = np.isclose(shares, shares.max())
    return {"layers": shares.index[are_most].tolist(), "share": float(shares.max()), "others": not are_most.all()}


def _layers(study):
    table = study.tables["flipping_layers"]
    rows = table.assign(group=table["is_permuted"].astype(bool).map({True: "permuted", False: "unpermuted"}))
    numbers = {
        "share": Number("share of the units switched off", "percent"),
        "share_of_units": Number("share of all units", "percent"),
        "mean_flipped": Number("units of it, mean", ".2f"),
        "num_examples": Number("examples", "d"),
    }
    texts = {"group": "examples", "layer": "layer"}
    note = "In which layers the units are that flip a prediction; every example counts alike."
    return make_view("flipping_layers", "Flipped units by layer", rows, texts, numbers, note=note, whole=table)


SECTION = Section(
    "Switching off units until a prediction flips",
    {"flipping_layers": ((), _layers)},
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("flipping", "flipping_layers"),
    facts=_facts,
)
