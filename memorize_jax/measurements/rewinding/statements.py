"""Figures 4A-B: the final network with one layer of an earlier epoch."""

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable, require_named
from memorize_jax.claims.shapes import RANGE, reversal, thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating
from memorize_jax.epochs import final_epoch
from memorize_jax.measurements.rewinding.effects import RECOVERS, RewindingEffect, rewinding_effect
from memorize_jax.measurements.rewinding.sources import own_rows
from memorize_jax.models import last_convolution

# The paper's.
RECOVERED = 0.9
# A layer has settled once the network does without its later changes, up to a tenth of its training accuracy.
SETTLED = 0.9
# A curve of fewer points cannot turn.
FEWEST_OF_A_CURVE = 3
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "rewinding"))


def last_layer(layers: tuple[str, ...]) -> str:
    """The layer that the paper rewinds: the last convolution, the last hidden layer where names tell none."""
    return last_convolution(layers[:-1])


def _rewound(evidence: Evidence, *conditions: str) -> pd.DataFrame:
    evidence.require(*conditions)
    table = own_rows(evidence.tables["rewinding"])
    rows = table[(table["into"] == "final") & (table["num_layers"] == 1)]
    if rows.empty:
        raise NotTestable("no single layer was rewound in the final network; use --rewind_layers=each")
    return rows.sort_values("rewind_epoch")


def _last_rewound(evidence: Evidence) -> pd.Series:
    """Test accuracy with the last layer rewound, by rewind epoch."""
    evidence.require("hidden layer")
    rows, layer = _rewound(evidence, "loss"), last_layer(evidence.layers)
    own = rows[rows["layer"] == layer]
    if own.empty:
        raise NotTestable(f"{layer} was not rewound by itself; use --rewind_layers=each")
    return own.set_index("rewind_epoch")["test_accuracy"]


def _effect(evidence: Evidence, group: str = "test") -> tuple[pd.DataFrame, RewindingEffect]:
    """The rows of single layers, by rewind epoch, and what rewinding them wins back on a group."""
    evidence.require("early and late layers")
    # Test accuracy may be lost or not where true labels are.
    rows = _rewound(evidence, *(["loss"] if group == "test" else ["memorized", "restored"]))
    missing = [layer for layer in evidence.hidden if layer not in set(rows["layer"])]
    if missing:
        raise NotTestable(f"{', '.join(missing)} were not rewound; use --rewind_layers=each")
    effect = rewinding_effect(rows, evidence.tables["metrics"], group, evidence.hidden)
    if effect is None:
        raise NotTestable("true labels of permuted examples were never known better than at the end")
    return rows, effect


@stated(
    "4A",
    "Weights of early layers settle later than those of late layers.",
    "rewind epoch from which on training accuracy stays above 90 % of the final one, mean over the first third of "
    "the hidden layers minus over the last, in units of the training",
    above(0, "the statement itself, which names no size"),
)
def _early_weights_settle_last(evidence):
    rows, _ = _effect(evidence)
    level = SETTLED * evidence.final("train_accuracy")
    early, late = (
        sum(_settled(rows[rows["layer"] == layer], level) for layer in third) / len(third)
        for third in thirds(evidence.hidden)
    )
    return (early - late) / final_epoch(evidence.tables["metrics"])


def _settled(rows: pd.DataFrame, level: float) -> int:
    """The first rewind epoch from which on training accuracy stays above a level."""
    below = rows[rows["train_accuracy"] < level]["rewind_epoch"]
    later = rows if below.empty else rows[rows["rewind_epoch"] > below.iloc[-1]]
    if later.empty:
        raise NotTestable("layers were not rewound to the last epochs; use --rewind_epochs=log,best,final")
    return int(later["rewind_epoch"].iloc[0])


@stated(
    "4B",
    "Rewinding the last convolution alone, no linear layer, gives back most of the early-stopped test accuracy.",
    "highest test accuracy with that layer (without convolutions: the last hidden one) rewound, over the peak of "
    "training",
    above(RECOVERED, "the paper's number"),
)
def _last_layer_recovers(evidence):
    return float(_last_rewound(evidence).max() / evidence.peak("test_accuracy"))


@stated(
    "4B",
    "Late layers, rewound one by one, give back more test accuracy than early ones.",
    "share of the lost test accuracy that a layer wins back, 0 if none, mean over the last third of the hidden layers "
    "minus over the first",
    above(RECOVERS, "a tenth of what was lost"),
)
def _late_layers_recover_more(evidence):
    _, effect = _effect(evidence)
    return effect.late_share - effect.early_share


@stated(
    "ours",
    "Memorization is in the late layers: rewound one by one, they give permuted examples their true labels back, and "
    "more than early ones do.",
    "share of the lost accuracy on true labels of permuted examples that a layer wins back, 0 if none, mean over the "
    "last third of the hidden layers minus over the first",
    above(RECOVERS, "a tenth of what was lost"),
)
def _true_labels_back_in_late_layers(evidence):
    _, effect = _effect(evidence, "restored")
    return effect.late_share - effect.early_share


@stated(
    "4B",
    "Early layers, rewound one by one, approach the final performance monotonically.",
    "largest move of test accuracy, along the rewind epochs, against the direction of the curve, in units of its "
    "range, mean over the first third of the hidden layers",
    below(NOTICEABLE, RANGE),
    every_seed=True,
)
def _early_layers_approach_monotonically(evidence):
    rows, effect = _effect(evidence)
    if (epochs := rows["rewind_epoch"].nunique()) < FEWEST_OF_A_CURVE:
        advice = "use --rewind_epochs=log,best,final"
        raise NotTestable(f"layers were rewound to {epochs} epochs, and a curve of {epochs} has no turns; {advice}")
    curves = [rows[rows["layer"] == layer]["test_accuracy"].to_numpy() for layer in effect.early]
    return sum(map(reversal, curves)) / len(curves)


@stated(
    "A.10",
    "In ResNet18 rewinding the last convolution gives most back at epoch 0.",
    "test accuracy with that layer rewound to epoch 0, over the highest of any rewind epoch",
    above(0.98, "two percent: the highest of several epochs is above the others by chance"),
    every_seed=True,
)
def _resnet_last_layer_peaks_untrained(evidence):
    require_named(evidence.model, "network", "resnet18", "resnet18_tiny")
    accuracy = _last_rewound(evidence)
    if 0 not in accuracy.index:
        raise NotTestable("the last layer was not rewound to epoch 0; use --rewind_epochs=log,best,final")
    return float(accuracy[0] / accuracy.max())
