"""What the report says of rewinding."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.measurements.rewinding.effects import RewindingEffect, rewinding_effect
from memorize_jax.measurements.rewinding.sources import own_rows
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view
from memorize_jax.studies.study import Study


def rewinding_effects(study: Study, group: str) -> dict[int, RewindingEffect]:
    """Seed -> what rewinding layers of the final network wins back on a group, for seeds that had lost something."""
    table = own_rows(study.tables["rewinding"])
    table = table[table["into"] == "final"]
    found = {
        seed: rewinding_effect(table[table["seed"] == seed], study.metrics_of(seed), group, study.layers[:-1])
        for seed in study.seeds
        if (table["seed"] == seed).any()
    }
    return {seed: effect for seed, effect in found.items() if effect is not None}


def _facts(study: Study) -> dict | None:
    """The words on figure 4A-B: effects of one run, or means over the seeds of several."""
    if not (own_rows(study.tables["rewinding"])["into"] == "final").any():
        return None
    effects = {group: rewinding_effects(study, group) for group in ("test", "restored")}
    compared = {
        group: [effect for effect in own.values() if effect.tells_late_from_early] for group, own in effects.items()
    }
    shares = {
        group: {
            "early": float(np.mean([effect.early_share for effect in own])),
            "late": float(np.mean([effect.late_share for effect in own])),
            "num_late_recover": sum(effect.late_recovers for effect in own),
            "num_seeds": len(own),
            "layers": own[0],
        }
        for group, own in compared.items()
        if own
    }
    return {
        "alone": len(study.seeds) == 1,
        "effects": {group: next(iter(own.values()), None) for group, own in effects.items()},
        "shares": shares,
        "bn": ", ".join(study.tables["rewinding"]["bn"].unique()),
    }


def _rewinding(study):
    rows = []
    for group in ("test", "restored"):
        for seed, effect in rewinding_effects(study, group).items():
            rows += [{"seed": seed, "group": group, **found._asdict()} for found in effect.recoveries]
    table = study.tables["rewinding"]
    if not rows:
        own = own_rows(table)
        own = own[own["into"] == "final"]
        if own.empty:
            return None
        names = ("train", "unpermuted", "permuted", "restored", "test")
        numbers = {f"{name}_accuracy": Number(name, "percent") for name in names}
        texts = {"layer": "layers rewound", "rewind_epoch": "to which epoch"}
        note = "Accuracy of the final network with earlier layers; nothing was lost."
        return make_view("rewinding", "Rewinding", own, texts, numbers, note=note, whole=table)
    numbers = {
        "rewind_epoch": Number("to which epoch", "d"),
        "accuracy": Number("accuracy there", "percent"),
        "share": Number("of the loss won back", "percent"),
    }
    texts = {"group": "accuracy on", "layer": "layers rewound"}
    note = "Each layer, or set of layers, at the rewind epoch that is best for the group."
    return make_view("rewinding", "Rewinding", pd.DataFrame(rows), texts, numbers, note=note, whole=table)


SECTION = Section(
    "Undoing memorization by rewinding layers",
    {"rewinding": (("metrics",), _rewinding)},
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("rewinding", "metrics"),
    facts=_facts,
)
