"""Figure 2A: accuracies over training."""

import pandas as pd

from memorize_jax.claims.evidence import HALF, Evidence, NotTestable, fall_of_test
from memorize_jax.claims.statement import NOTICEABLE, Statement, Threshold

# The accuracy above which the paper stops training.
FITTED = 0.99
# Shares of their rise between which permuted examples converge.
CONVERGING = (0.1, 0.9)


def _train_accuracy(evidence: Evidence) -> float:
    evidence.require_permuted()
    if evidence.dataset == "tiny_imagenet":
        raise NotTestable("on Tiny ImageNet the paper's network does not get there either")
    evidence.require_finished()
    return evidence.final("train_accuracy")


def _test_fall(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_learned()
    return fall_of_test(evidence)


def _restored_rise(evidence: Evidence) -> float:
    evidence.require_permuted()
    evidence.require_unpermuted()
    return evidence.peak("restored_accuracy") - evidence.first("restored_accuracy")


def _exchange(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_learned()
    metrics = evidence.tables["metrics"]
    top = metrics.loc[metrics["restored_accuracy"].idxmax()]
    fall = top["restored_accuracy"] - evidence.final("restored_accuracy")
    rise = evidence.final("permuted_accuracy") - top["permuted_accuracy"]
    return float(min(fall, rise))


def _delay(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_learned()
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


def _time_to_converge(evidence: Evidence) -> float:
    evidence.require_memorized()
    evidence.require_learned()
    metrics = evidence.tables["metrics"]
    first, final = (end("permuted_accuracy") for end in (evidence.first, evidence.final))
    levels = (first + share * (final - first) for share in CONVERGING)
    begun, done = (metrics["epoch"][metrics["permuted_accuracy"] >= level].iloc[0] for level in levels)
    return float((done - begun) / metrics["epoch"].iloc[-1])


STATEMENTS = (
    Statement(
        "training_is_fitted",
        "2A",
        "Training accuracy ends near 100 %, permuted labels included (not on Tiny ImageNet).",
        "final accuracy on the assigned labels of all training examples",
        Threshold(">", FITTED),
        "the accuracy at which the paper stops training",
        _train_accuracy,
        every_seed=True,
    ),
    Statement(
        "test_falls_after_peak",
        "2A",
        "Test accuracy peaks and then falls while the network memorizes.",
        "fall of test accuracy from its peak to the end, relative to the peak",
        Threshold(">", NOTICEABLE),
        "a tenth of the peak: epochs near the peak differ by a point or two",
        _test_fall,
    ),
    Statement(
        "restored_rises",
        "2A",
        "Before permuted examples are memorized, many are classified by their true label.",
        "rise of restored accuracy from the first epoch to its peak",
        Threshold(">", NOTICEABLE),
        "ten points: more than chance moves it",
        _restored_rise,
    ),
    Statement(
        "restored_falls_as_permuted_rises",
        "2A",
        "True labels of permuted examples are given up for the assigned ones.",
        "from the peak of restored accuracy to the end: its fall, or the rise of permuted accuracy if that is less",
        Threshold(">", NOTICEABLE),
        "ten points: more than chance moves them",
        _exchange,
    ),
    Statement(
        "permuted_take_longer",
        "2A",
        "Permuted examples take more epochs to fit than unpermuted ones.",
        "first epoch at which half of the permuted examples are fitted, over that of the unpermuted ones",
        Threshold(">", 1),
        "the statement itself, which names no size",
        _delay,
    ),
    Statement(
        "permuted_converge_quickly",
        "2A",
        "Permuted examples quickly converge once they begin.",
        "epochs between a tenth and nine tenths of the rise of permuted accuracy, in units of the training",
        Threshold("<", 0.5),
        "half: an even rise over all of the training takes eight tenths",
        _time_to_converge,
        every_seed=True,
    ),
)
