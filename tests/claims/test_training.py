import numpy as np
import pytest

from tests.claims.invented import FINAL, assert_judged, edited, fractions, judged, study

HELD = {
    "training_is_fitted": 0.995,
    "test_falls_after_peak": 1 - 0.6 / 0.9,
    "restored_rises": 0.8,
    "restored_falls_as_permuted_rises": 0.8,
    # Half of the permuted examples at epoch 3, of the unpermuted ones at epoch 1.
    "permuted_take_longer": 3.0,
    # A tenth of the rise at epoch 3, nine tenths at epoch 4, of 4.
    "permuted_converge_quickly": 0.25,
}


@pytest.mark.parametrize(("name", "value"), HELD.items())
def test_what_holds(name, value):
    assert_judged(name, study(), "holds", value)


@pytest.mark.parametrize(
    ("name", "column", "epoch", "value", "measured"),
    [
        ("training_is_fitted", "train_accuracy", FINAL, 0.98, 0.98),
        ("test_falls_after_peak", "test_accuracy", FINAL, 0.855, 0.05),
        ("restored_rises", "restored_accuracy", (1, 2, 3), 0.15, 0.05),
        # Given up, but for nothing: permuted accuracy was there before.
        ("restored_falls_as_permuted_rises", "permuted_accuracy", 2, 0.95, 0.04),
        ("restored_falls_as_permuted_rises", "restored_accuracy", (0, 1, 2, 3), 0.15, 0.05),
        ("permuted_take_longer", "permuted_accuracy", 1, 0.5, 1.0),
        ("permuted_converge_quickly", "permuted_accuracy", (1, 2), 0.2, 0.75),
    ],
)
def test_what_does_not_hold(name, column, epoch, value, measured):
    assert_judged(name, edited(study(), "metrics", column, value, epoch=epoch), "does not hold", measured)


def no_permuted(base):
    for group in ("permuted", "restored"):
        base = edited(base, "metrics", f"{group}_accuracy", np.nan, seed=0)
    return base


def stopped(base):
    return base._replace(tables={**base.tables, "metrics": base.tables["metrics"][:4]})


@pytest.mark.parametrize("name", HELD)
def test_without_permuted_labels_nothing_can_be_memorized(name):
    claim = judged(name, no_permuted(study()))
    assert (claim.verdict, claim.reason) == ("not testable", "no label was permuted")
    assert np.isnan([claim.measured, claim.low, claim.high]).all()


@pytest.mark.parametrize("name", ["test_falls_after_peak", "restored_falls_as_permuted_rises", "permuted_take_longer"])
def test_a_run_stopped_before_it_memorized_says_so(name):
    claim = judged(name, stopped(study()))
    assert claim.verdict == "not testable"
    assert "50% of the permuted examples carry their assigned label, 50% their true one" in claim.reason


@pytest.mark.parametrize(
    ("name", "base", "reason"),
    [
        ("training_is_fitted", study(dataset="tiny_imagenet"), "the paper's network does not get there either"),
        ("restored_rises", edited(study(), "metrics", "unpermuted_accuracy", np.nan, seed=0), "all labels were"),
        (
            "test_falls_after_peak",
            edited(study(), "metrics", "test_accuracy", 0.12, epoch=(1, 2)),
            "learned too little",
        ),
        (
            "permuted_take_longer",
            edited(study(), "metrics", "unpermuted_accuracy", 0.4, epoch=(1, 2, 3, 4)),
            "half of the unpermuted examples were never fitted",
        ),
    ],
)
def test_what_is_not_testable(name, base, reason):
    if reason == "learned too little":
        base = edited(base, "metrics", "test_accuracy", 0.11, epoch=(3, 4))
    claim = judged(name, base)
    assert claim.verdict == "not testable"
    assert reason in claim.reason


def test_an_interrupted_run_may_still_get_there():
    base = edited(study(seeds=(0, 1)), "metrics", "train_accuracy", 0.5, epoch=FINAL, seed=1)
    claim = judged("training_is_fitted", base._replace(unfinished=(("", 1),)))
    assert claim.verdict == "not testable"
    assert claim.reason.startswith(
        "seed 1: training has not ended, it is at epoch 4; go on with: python -m experiments"
    )
    # One that used its epochs up did not get there.
    assert judged("training_is_fitted", base).verdict == "does not hold"
    sweep = fractions()._replace(unfinished=(("run1.0", 0),))
    assert judged("training_is_fitted", sweep).verdict == "holds (one seed)"
    assert judged("training_is_fitted", sweep._replace(unfinished=(("run0.5", 0),))).verdict == "not testable"


def test_what_chance_fits_takes_no_time_to_fit():
    base = edited(study(), "metrics", "permuted_accuracy", 0.5, epoch=(0, 1, 2))
    claim = judged("permuted_take_longer", base)
    assert claim.verdict == "not testable"
    assert claim.reason == "half of the permuted examples carry their assigned label from the first epoch on"


def test_with_two_classes_chance_does_not_pass_for_memorizing():
    base = edited(study(), "metrics", "permuted_accuracy", 0.52, epoch=FINAL)
    claim = judged("test_falls_after_peak", edited(base, "metrics", "restored_accuracy", 0.49, epoch=FINAL))
    assert claim.verdict == "not testable"
