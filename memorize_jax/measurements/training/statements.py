"""Figure 2A: accuracies over training."""

import pandas as pd

from memorize_jax.claims.evidence import HALF, Evidence, NotTestable, fall_of_test
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating

# The accuracy above which the paper stops training.
FITTED = 0.99
# Shares of their rise between which permuted examples converge.
CONVERGING = (0.1, 0.9)
STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS)


@stated(
    "2A",
    "Training accuracy ends near 100 %, permuted labels included (not on Tiny ImageNet).",
    "final accuracy on the assigned labels of all training examples",
    above(FITTED, "the accuracy at which the paper stops training"),
    every_seed=True,
)
def _training_is_fitted(evidence):
    evidence.require("permuted labels")
    if evidence.dataset == "tiny_imagenet":
        raise NotTestable("on Tiny ImageNet the paper's network does not get there either")
    evidence.require("finished")
    return evidence.final("train_accuracy")


@stated(
    "2A",
    "Test accuracy peaks and then falls while the network memorizes.",
    "fall of test accuracy from its peak to the end, relative to the peak",
    above(NOTICEABLE, "a tenth of the peak: epochs near the peak differ by a point or two"),
)
def _test_falls_after_peak(evidence):
    evidence.require("memorized", "learned")
    return fall_of_test(evidence)


@stated(
    "2A",
    "Before permuted examples are memorized, many are classified by their true label.",
    "rise of restored accuracy from the first epoch to its peak",
    above(NOTICEABLE, "ten points: more than chance moves it"),
)
def _restored_rises(evidence):
    evidence.require("permuted labels", "unpermuted labels")
    return evidence.peak("restored_accuracy") - evidence.first("restored_accuracy")


@stated(
    "2A",
    "True labels of permuted examples are given up for the assigned ones.",
    "from the peak of restored accuracy to the end: its fall, or the rise of permuted accuracy if that is less",
    above(NOTICEABLE, "ten points: more than chance moves them"),
)
def _restored_falls_as_permuted_rises(evidence):
    evidence.require("memorized", "learned")
    metrics = evidence.tables["metrics"]
    top = metrics.loc[metrics["restored_accuracy"].idxmax()]
    fall = top["restored_accuracy"] - evidence.final("restored_accuracy")
    return float(min(fall, evidence.final("permuted_accuracy") - top["permuted_accuracy"]))


@stated(
    "2A",
    "Permuted examples take more epochs to fit than unpermuted ones.",
    "first epoch at which half of the permuted examples are fitted, over that of the unpermuted ones",
    above(1, "the statement itself, which names no size"),
)
def _permuted_take_longer(evidence):
    evidence.require("memorized", "learned")
    permuted, unpermuted = (_half_fitted(evidence.tables["metrics"], group) for group in ("permuted", "unpermuted"))
    return permuted / max(unpermuted, 1)


def _half_fitted(metrics: pd.DataFrame, group: str) -> int:
    reached = metrics[metrics[f"{group}_accuracy"] >= HALF]
    if reached.empty:
        raise NotTestable(f"half of the {group} examples were never fitted")
    if metrics[f"{group}_accuracy"].iloc[0] >= HALF:
        # With two classes chance fits half of them.
        raise NotTestable(f"half of the {group} examples carry their assigned label from the first epoch on")
    return int(reached["epoch"].iloc[0])


@stated(
    "2A",
    "Permuted examples quickly converge once they begin.",
    "epochs between a tenth and nine tenths of the rise of permuted accuracy, in units of the training",
    below(0.5, "half: an even rise over all of the training takes eight tenths"),
    every_seed=True,
)
def _permuted_converge_quickly(evidence: Evidence) -> float:
    evidence.require("memorized", "learned")
    metrics = evidence.tables["metrics"]
    first, final = (end("permuted_accuracy") for end in (evidence.first, evidence.final))
    levels = (first + share * (final - first) for share in CONVERGING)
    begun, done = (metrics["epoch"][metrics["permuted_accuracy"] >= level].iloc[0] for level in levels)
    return float((done - begun) / metrics["epoch"].iloc[-1])
