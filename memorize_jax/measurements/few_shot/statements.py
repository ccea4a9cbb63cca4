"""What memorizing does to few-shot learning (no statements of the paper)."""

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable, by_layer
from memorize_jax.claims.shapes import thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, stating

TEN_POINTS = "ten points; other examples of the classes of digits move it by two"
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "few_shot"))


@stated(
    "ours",
    "Memorizing makes permuted examples learnable from one example of each assigned class in late layers.",
    "simulated one-shot error on permuted examples at the best epoch minus at the final one, mean over the last third "
    "of the hidden layers",
    above(NOTICEABLE, TEN_POINTS),
)
def _one_shot_learns_assigned_labels(evidence):
    return -_late_change(evidence, "permuted")


@stated(
    "ours",
    "Memorizing makes the same examples harder to learn by their true labels in late layers.",
    "simulated one-shot error on restored examples at the final epoch minus at the best one, mean over the last third "
    "of the hidden layers",
    above(NOTICEABLE, TEN_POINTS),
)
def _one_shot_loses_true_labels(evidence):
    return _late_change(evidence, "restored")


def _late_change(evidence: Evidence, group: str) -> float:
    """Change of the one-shot error from the best to the final epoch, mean over the last third of the hidden layers."""
    evidence.require("memorized", "peak", "early and late layers")
    _, late = thirds(evidence.hidden)
    best, final = (by_layer(_one_shot(evidence, stage), group, "simulated", late) for stage in ("best", "final"))
    return float((final - best).mean())


def _one_shot(evidence: Evidence, stage: str) -> pd.DataFrame:
    rows = evidence.at_stage("few_shot", stage)
    rows = rows[rows["num_shots"] == 1]
    if rows.empty:
        raise NotTestable("the error with one example of each class was not measured; use --few_shot_shots=1,5")
    return rows
