import numpy as np
import pytest

from tests.analysis.claims.invented import FINAL, assert_judged, edited, judged, study, without
from tests.analysis.claims.test_training import no_permuted, stopped

U_DEP, U_IND = {"group": "unpermuted", "part": "dep"}, {"group": "unpermuted", "part": "ind"}
P_DEP, P_IND = {"group": "permuted", "part": "dep"}, {"group": "permuted", "part": "ind"}
HELD = {
    "gradients_do_not_vanish": 0.5,
    "groups_contribute_alike_at_the_end": 1.5,
    "unpermuted_dep_above_ind": 8.0,
    "permuted_dep_below_ind": 0.5 / 1.2,
    "unpermuted_dep_above_permuted_dep": 16.0,
    "ind_alike_on_both_groups": 1.2,
    "permuted_dep_starts_near_zero": 0.05,
    # Least of 16 / 8, 3 / 1, 10 / 5 and 2.4 / 1.2.
    "parts_grow_while_they_cancel": 2.0,
}
# What takes no permuted example to decide.
OF_UNPERMUTED = {"gradients_do_not_vanish", "unpermuted_dep_above_ind"}
OF_THE_END = {"groups_contribute_alike_at_the_end", "permuted_dep_starts_near_zero", "parts_grow_while_they_cancel"}


@pytest.mark.parametrize(("name", "value"), HELD.items())
def test_what_holds(name, value):
    assert_judged(name, study(), "holds", value)


@pytest.mark.parametrize(
    ("name", "value", "where", "measured"),
    [
        ("gradients_do_not_vanish", 0.1, {"group": "all", "layer": "linear1", "epoch": 1}, 0.05),
        ("groups_contribute_alike_at_the_end", 0.5, {"group": "unpermuted", "part": "full", "epoch": FINAL}, 2.0),
        # One layer; geometric mean of both epochs near the start.
        ("unpermuted_dep_above_ind", 0.5, U_DEP | {"layer": "linear4", "epoch": 1}, 2.0),
        ("permuted_dep_below_ind", 3.6, P_DEP | {"layer": "linear4", "epoch": (0, 1)}, 3.0),
        ("unpermuted_dep_above_permuted_dep", 4.0, P_DEP | {"layer": "linear4", "epoch": (0, 1)}, 2.0),
        ("ind_alike_on_both_groups", 0.3, P_IND | {"layer": "linear4", "epoch": (0, 1)}, 1 / 0.3),
        ("ind_alike_on_both_groups", 3.0, P_IND | {"layer": "linear4", "epoch": (0, 1)}, 3.0),
        ("permuted_dep_starts_near_zero", 2.0, P_DEP | {"epoch": (0, 1)}, 0.2),
        ("parts_grow_while_they_cancel", 0.9, U_IND | {"epoch": FINAL}, 0.9),
    ],
)
def test_what_does_not_hold(name, value, where, measured):
    assert_judged(name, edited(study(), "gradients", "squared_norm", value, **where), "does not hold", measured)


@pytest.mark.parametrize("name", HELD)
def test_without_permuted_labels_only_what_is_not_about_them_is_decided(name):
    base = without(no_permuted(study()), "gradients", group="permuted")
    claim = judged(name, base)
    if name in OF_UNPERMUTED:
        assert claim.measured == pytest.approx(HELD[name])
    else:
        assert (claim.verdict, claim.reason) == ("not testable", "no label was permuted")


@pytest.mark.parametrize("name", sorted(OF_THE_END))
def test_a_run_stopped_before_it_memorized_says_nothing_of_the_end(name):
    assert "before the network memorised" in judged(name, stopped(study())).reason


@pytest.mark.parametrize("name", sorted(OF_THE_END))
def test_the_final_epoch_must_have_been_measured(name):
    reason = judged(name, without(study(), "gradients", epoch=FINAL)).reason
    assert "nothing was measured at the final epoch" in reason
    assert reason.endswith("python -m experiments.gradients --workdir=runs/mine --gradient_epochs=best,final")


@pytest.mark.parametrize("name", sorted(set(HELD) - OF_THE_END - {"gradients_do_not_vanish"}))
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda base: edited(base, "metrics", "loss", 2.1, seed=0), "the loss never fell by a tenth"),
        (lambda base: edited(base, "metrics", "loss", np.nan, epoch=(1, 2, 3, 4)), "the loss never fell by a tenth"),
        (lambda base: without(base, "gradients", epoch=(0, 1)), "no gradient was measured near initialisation"),
        (lambda base: edited(base, "gradients", "squared_norm", 0.0, epoch=0), "a part of the gradient is zero"),
        (lambda base: edited(base, "metrics", "unpermuted_accuracy", np.nan, seed=0), "all labels were permuted"),
    ],
)
def test_what_is_not_testable_near_the_start(name, spoil, reason):
    claim = judged(name, spoil(study()))
    assert claim.verdict == "not testable"
    assert reason in claim.reason


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda base: without(base, "gradients"), "python -m experiments.gradients --workdir=runs/mine"),
        (lambda base: edited(base, "gradients", "weighting", "share", weighting="subset"), "weighted by their shares"),
    ],
)
def test_what_is_not_testable(name, spoil, reason):
    claim = judged(name, spoil(study()))
    assert claim.verdict == "not testable"
    assert reason in claim.reason
