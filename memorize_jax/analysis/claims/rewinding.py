"""Figures 4A-B: the final network with one layer of an earlier epoch."""

import pandas as pd

from memorize_jax.analysis.claims.evidence import Evidence, NotTestable
from memorize_jax.analysis.claims.statement import Statement, Threshold
from memorize_jax.analysis.effects import RECOVERS, RewindingEffect, rewinding_effect, thirds
from memorize_jax.analysis.epochs import final_epoch

# The paper's.
RECOVERED = 0.9
# A layer has settled once the network does without its later changes, up to a tenth of its training accuracy.
SETTLED = 0.9


def last_layer(layers: tuple[str, ...]) -> str:
    """The layer that the paper rewinds: the last convolution, the last hidden layer where there is none."""
    hidden = layers[:-1]
    convolutions = [layer for layer in hidden if layer.startswith("conv")]
    return (convolutions or hidden)[-1]


def _rewound(evidence: Evidence) -> pd.DataFrame:
    evidence.require_loss()
    table = evidence.tables["rewinding"]
    rows = table[(table["into"] == "final") & (table["num_layers"] == 1)]
    if rows.empty:
        raise NotTestable("no single layer was rewound in the final network; use --rewind_layers=each")
    return rows


def _accuracy_of_last(evidence: Evidence) -> float:
    evidence.require_hidden_layer()
    rows, layer = _rewound(evidence), last_layer(evidence.layers)
    own = rows[rows["layer"] == layer]
    if own.empty:
        raise NotTestable(f"{layer} was not rewound by itself; use --rewind_layers=each")
    return float(own["test_accuracy"].max() / evidence.peak("test_accuracy"))


def _effect(evidence: Evidence) -> RewindingEffect:
    evidence.require_hidden_layers()
    rows = _rewound(evidence)
    missing = [layer for layer in evidence.hidden if layer not in set(rows["layer"])]
    if missing:
        raise NotTestable(f"{', '.join(missing)} were not rewound; use --rewind_layers=each")
    return rewinding_effect(rows, evidence.tables["metrics"], "test", evidence.layers[-1])


def _late_lead(evidence: Evidence) -> float:
    effect = _effect(evidence)
    return effect.late_share - effect.early_share


def _early_share(evidence: Evidence) -> float:
    return _effect(evidence).early_share


def _settling_lead(evidence: Evidence) -> float:
    _effect(evidence)
    rows = _rewound(evidence)
    early, late = thirds(evidence.hidden)
    level = SETTLED * evidence.final("train_accuracy")
    settled = {layer: _settled(rows[rows["layer"] == layer], level) for layer in (*early, *late)}
    epochs = [sum(settled[layer] for layer in chosen) / len(chosen) for chosen in (early, late)]
    return (epochs[0] - epochs[1]) / final_epoch(evidence.tables["metrics"])


def _settled(rows: pd.DataFrame, level: float) -> int:
    """The first rewind epoch from which on training accuracy stays above a level."""
    rows = rows.sort_values("rewind_epoch")
    below = rows[rows["train_accuracy"] < level]["rewind_epoch"]
    later = rows if below.empty else rows[rows["rewind_epoch"] > below.iloc[-1]]
    if later.empty:
        raise NotTestable("layers were not rewound to the last epochs; use --rewind_epochs=log,best,final")
    return int(later["rewind_epoch"].iloc[0])


NEEDS = ("metrics", "rewinding")
STATEMENTS = (
    Statement(
        "early_weights_settle_last",
        "4A",
        "Weights of early layers settle later than those of late layers.",
        "rewind epoch from which on training accuracy stays above 90 % of the final one, mean over the first third of "
        "the hidden layers minus over the last, in units of the training",
        Threshold(">", 0),
        "the statement itself, which names no size",
        _settling_lead,
        needs=NEEDS,
    ),
    Statement(
        "last_layer_recovers",
        "4B",
        "Rewinding the last convolution alone, no linear layer, gives back most of the early-stopped test accuracy.",
        "highest test accuracy with that layer (without convolutions: the last hidden one) rewound, over the peak of "
        "training",
        Threshold(">", RECOVERED),
        "the paper's number",
        _accuracy_of_last,
        needs=NEEDS,
    ),
    Statement(
        "late_layers_recover_more",
        "4B",
        "Late layers, rewound one by one, give back more test accuracy than early ones.",
        "share of the lost test accuracy won back, mean over the last third of the hidden layers minus over the first",
        Threshold(">", RECOVERS),
        "a tenth of what was lost",
        _late_lead,
        needs=NEEDS,
    ),
    Statement(
        "first_layers_do_not_recover",
        "4B",
        "Early layers, rewound one by one, give nothing back.",
        "share of the lost test accuracy won back, mean over the first third of the hidden layers",
        Threshold("<", RECOVERS),
        "a tenth of what was lost: the best of several epochs is above nothing by chance",
        _early_share,
        needs=NEEDS,
    ),
)
