"""Where and when permuted examples leave their true class (not in the paper)."""

from memorize_jax.claims.evidence import Evidence, NotTestable, by_layer
from memorize_jax.claims.shapes import thirds
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating

STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "collapse"))
QUARTER = 0.25


def _drift(evidence: Evidence, stage: str):
    evidence.require("memorized", "peak", "early and late layers")
    return by_layer(evidence.at_stage("collapse", stage), "permuted", "drift", evidence.hidden)


@stated(
    "ours",
    "Permuted examples leave their true class in late layers.",
    "drift from the true (0) to the assigned class (1) at the final epoch, mean over the last third of the hidden "
    "layers minus over the first",
    above(QUARTER, "a quarter of the way; a tenth is what still counts as none"),
)
def _permuted_leave_in_late_layers(evidence):
    drift, (early, late) = _drift(evidence, "final"), thirds(evidence.hidden)
    return float(drift[list(late)].mean() - drift[list(early)].mean())


@stated(
    "ours",
    "In early layers permuted examples stay with their true class to the end.",
    "drift at the final epoch, the largest of any layer in the first third of the hidden ones",
    below(NOTICEABLE, "a tenth of the way to the assigned class"),
    every_seed=True,
)
def _permuted_stay_in_early_layers(evidence):
    return float(_drift(evidence, "final")[list(thirds(evidence.hidden)[0])].max())


@stated(
    "ours",
    "Until the best epoch permuted examples stay with their true class in every hidden layer.",
    "drift at the best epoch, the largest of any hidden layer",
    below(NOTICEABLE, "a tenth of the way to the assigned class"),
    every_seed=True,
)
def _permuted_stay_until_best_epoch(evidence):
    return float(_drift(evidence, "best").max())


@stated(
    "ours",
    "The final network is tighter by true labels in early layers and by assigned ones in its output.",
    "NC1 of training examples by assigned over by true labels, mean over the first third of the hidden layers, and by "
    "true over by assigned labels at the output; the lesser of both",
    above(1 + NOTICEABLE, "a tenth more than alike"),
)
def _labels_swap_with_depth(evidence):
    evidence.require("memorized", "hidden layer")
    rows, (early, _) = evidence.at_stage("collapse", "final"), thirds(evidence.hidden)
    chosen = [*early, evidence.layers[-1]]
    assigned, true = (by_layer(rows, "train", f"nc1_{labels}", chosen) for labels in ("assigned", "true"))
    if not (true > 0).all() or not (assigned > 0).all():
        raise NotTestable("classes have no variation within them")
    ratio = assigned / true
    return float(min(ratio[list(early)].mean(), 1 / ratio[evidence.layers[-1]]))
