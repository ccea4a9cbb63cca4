"""What the report says of retraining, and of the three ways to ask where memorization is."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.figures.curves import epoch_range
from memorize_jax.measurements.retraining.effects import NONE, from_earliest, retrained_layers, with_starts
from memorize_jax.measurements.retraining.statements import MOST
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, if_there, make_view
from memorize_jax.studies.study import Study


def _facts(study: Study) -> dict | None:
    """In which layers assigned labels come back, and in which true ones do; by means over seeds."""
    table = study.tables["retraining"]
    if study.permuted_fraction == 0 or not (table["num_layers"] == 1).any():
        return None
    found = []
    for seed, own in table.groupby("seed"):
        for one in retrained_layers(own):
            rise = one.after["permuted_accuracy"] - one.before["permuted_accuracy"]
            found.append({"seed": seed, "layer": one.layer, "kept": one.kept, "rise": rise})
    order = list(dict.fromkeys(row["layer"] for row in found))
    wide = pd.DataFrame(found).pivot(index="seed", columns="layer", values=["kept", "rise"])
    # A layer that lacks a seed has no mean.
    means = wide.mean(skipna=False).unstack(0).loc[order]
    final = table[table["layer"] == NONE]
    leads = final["permuted_accuracy"] - final["restored_accuracy"]
    return {
        "epoch": epoch_range(from_earliest(table)["rewind_epoch"]),
        "final": final["permuted_accuracy"].mean(skipna=False),
        "seeds": len(leads),
        "not_memorized": int((~(leads > 0)).sum()),
        "incomplete": means.index[means["rise"].isna()].tolist(),
        "fraction": study.permuted_fraction,
        "held_by_others": means.index[means["kept"] > MOST].tolist(),
        "needed": means.index[means["kept"] <= MOST].tolist(),
        "true_lead": means.index[means["kept"] < 0].tolist(),
        "rising": means.index[means["rise"] > 0].tolist(),
    }


def _retraining(study):
    table = study.tables["retraining"]
    groups = ("permuted", "restored", "unpermuted", "test")
    numbers = {"retrained_epochs": Number("epochs of retraining", "d")}
    numbers |= if_there(table, {f"{name}_accuracy": Number(name, "percent") for name in groups})
    ends = table.groupby(["seed", "layer", "rewind_epoch"], sort=False)["retrained_epochs"]
    shown = table[(table["retrained_epochs"] == ends.transform("max")) | (table["retrained_epochs"] == 0)]
    shown = shown.assign(moment=np.where(shown["retrained_epochs"] == 0, "before", "after"))
    shown = with_starts(shown, {seed: study.metrics_of(seed) for seed in study.seeds})
    texts = {"layer": "layers retrained", "start": "put back to", "moment": "retraining"}
    note = "Accuracy before and after retraining; restored are permuted examples under their true labels."
    return make_view("retraining", "Retraining", shown, texts, numbers, note=note, whole=table)


SECTION = Section(
    "Retraining layers without the memorized examples",
    {"retraining": (("metrics",), _retraining)},
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("retraining",),
    facts=_facts,
)
