"""What the report says of rewinding."""

import pathlib
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from memorize_jax.measurements.rewinding.effects import RewindingEffect, rewinding_effect
from memorize_jax.measurements.rewinding.sources import own_rows
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view
from memorize_jax.studies.study import Study


def _rewound_seeds(study: Study, group: str) -> dict[int, pd.DataFrame]:
    """Seed -> its rows of layers of the final network, for seeds whose accuracy on a group was measured."""
    column = f"{group}_accuracy"
    table = own_rows(study.tables["rewinding"])
    table = table[table["into"] == "final"].dropna(subset=column)
    rows = {seed: table[table["seed"] == seed] for seed in study.seeds if (table["seed"] == seed).any()}
    return {seed: own for seed, own in rows.items() if study.metrics_of(seed)[column].notna().any()}


def rewinding_effects(study: Study, group: str) -> dict[int, RewindingEffect]:
    """Seed -> what rewinding layers of the final network wins back on a group, for seeds that had lost something."""
    found = {
        seed: rewinding_effect(rows, study.metrics_of(seed), group, study.layers[:-1])
        for seed, rows in _rewound_seeds(study, group).items()
    }
    return {seed: effect for seed, effect in found.items() if effect is not None}


def _facts(study: Study) -> dict | None:
    """The words on figure 4A-B: effects of one run, or means over the seeds of several."""
    if not (own_rows(study.tables["rewinding"])["into"] == "final").any():
        return None
    measured = {group: seeds for group in ("test", "restored") if (seeds := _rewound_seeds(study, group))}
    effects = {group: rewinding_effects(study, group) for group in measured}
    return {
        "alone": len(study.seeds) == 1,
        "effects": {group: next(iter(own.values()), None) for group, own in effects.items()},
        "shares": {group: _shares(study, measured[group], own) for group, own in effects.items()},
        "bn": ", ".join(study.tables["rewinding"]["bn"].unique()),
    }


def _shares(study: Study, measured: Collection[int], effects: Mapping[int, RewindingEffect]) -> dict:
    """Means over the seeds that had lost something and tell late layers from early ones, and why others are not in."""
    own = {seed: effect for seed, effect in effects.items() if effect.tells_late_from_early}
    why = {
        "had lost nothing": [seed for seed in measured if seed not in effects],
        "cannot tell the last hidden layers from the first": [seed for seed in effects if seed not in own],
        "not measured": [seed for seed in study.seeds if seed not in measured],
    }
    return {
        "early": float(np.mean([effect.early_share for effect in own.values()])) if own else None,
        "late": float(np.mean([effect.late_share for effect in own.values()])) if own else None,
        "num_late_recover": sum(effect.late_recovers for effect in own.values()),
        "count": len(own),
        "seeds": len(study.seeds),
        "layers": next(iter(own.values()), None),
        "left_out": {reason: ", ".join(map(str, seeds)) for reason, seeds in why.items() if seeds},
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
