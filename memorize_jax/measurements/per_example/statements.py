"""Whether memorized examples stand out: by when they are learned, by loss and by depth."""

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.statement import Statement, above, stating
from memorize_jax.measurements.per_example.rankings import is_mislabeled

STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("metrics", "per_example_auroc"))


def _auroc(evidence: Evidence, score: str) -> float:
    table = evidence.tables["per_example_auroc"].set_index("score")
    if not table.loc[score, "auroc"] == table.loc[score, "auroc"]:
        raise NotTestable(f"{score} was not measured, or no label is wrong")
    return float(table.loc[score, "auroc"])


@stated(
    "ours",
    "Wrong labels are learned later than right ones.",
    "median learned epoch of examples with a wrong label, over that of unpermuted ones (at least epoch 1)",
    above(2.0, "twice as many epochs: more than the order in which easy and hard examples of one kind are learned"),
    needs=("metrics", "per_example"),
)
def _wrong_labels_are_learned_later(evidence):
    evidence.require("permuted labels", "unpermuted labels", "memorized")
    table = evidence.tables["per_example"]
    if table["learned_epoch"].isna().any():
        raise NotTestable("learned_epoch is not known: the final network was damaged")
    wrong, unpermuted = table[is_mislabeled(table)], table[~table["is_permuted"].astype(bool)]
    return float(wrong["learned_epoch"].median() / max(unpermuted["learned_epoch"].median(), 1))


@stated(
    "ours",
    "Before they are memorized, wrong labels are told better by their loss than by their depth.",
    "AUROC of the loss at the best epoch for wrong labels, minus that of the prediction depth there",
    above(0.2, "a fifth: of two scores that tell them apart equally well, neither leads by that much"),
)
def _loss_tells_before(evidence):
    evidence.require("permuted labels", "memorized", "peak")
    return _auroc(evidence, "loss_best") - _auroc(evidence, "prediction_depth_best")


@stated(
    "ours",
    "Once they are memorized, wrong labels are told by their depth.",
    "AUROC of the prediction depth at the final epoch for wrong labels",
    above(0.8, "four of five pairs of a wrong and a right label in order, where chance gives one of two"),
    every_seed=True,
)
def _depth_tells_afterward(evidence):
    evidence.require("permuted labels", "memorized", "peak")
    return _auroc(evidence, "prediction_depth_final")
