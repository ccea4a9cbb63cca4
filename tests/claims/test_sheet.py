import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from memorize_jax.claims.sheet import as_markdown
from memorize_jax.claims.statement import HOLDS
from memorize_jax.measurements import registry
from tests.claims.invented import FINAL, by_seed, edited, fractions, judged, study, widths, without
from tests.commands import ROOT

# --- intervals over seeds


def three_seeds(*falls):
    """An ensemble whose test accuracy falls by these shares of the peak of 0.9."""
    accuracies = [0.9 * (1 - fall) for fall in falls]
    return judged("test_falls_after_peak", by_seed("metrics", "test_accuracy", accuracies, epoch=FINAL))


def consistent(claim, passed):
    """Whether the numbers of a claim are what its verdict says; `passed`: whether one is beyond the threshold."""
    ends = {passed(claim.low), passed(claim.high)}
    if claim.verdict in HOLDS:
        return passed(claim.measured) and ends == {True}
    if claim.verdict == "does not hold":
        return not passed(claim.measured)
    return ends == {True, False} and claim.reason.startswith("not certain")


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=5))
@settings(max_examples=30, deadline=None)
def test_no_row_contradicts_its_verdict(falls):
    base = study(seeds=tuple(range(len(falls))))
    for seed, fall in enumerate(falls):
        base = edited(base, "metrics", "test_accuracy", 0.9 * (1 - fall), epoch=FINAL, seed=seed)
        base = edited(base, "metrics", "train_accuracy", 0.99 + 0.04 * (fall - 0.25), epoch=FINAL, seed=seed)
    assert consistent(judged("test_falls_after_peak", base), lambda value: value > 0.1)
    assert consistent(judged("training_is_fitted", base), lambda value: value > 0.99)


def test_the_interval_is_students():
    falls = (0.3, 0.32, 0.37)
    claim = three_seeds(*falls)
    low, high = stats.t.interval(0.95, 2, np.mean(falls), stats.sem(falls))
    assert (claim.measured, claim.low, claim.high) == pytest.approx((np.mean(falls), low, high))
    assert claim.verdict == "holds"


def test_figure_3_has_intervals_of_99_percent():
    base = by_seed("geometry", "joint_capacity", ("* 1", "* 1.01", "* 1.03"), group="permuted", epoch=FINAL)
    claim = judged("permuted_rise_in_late_layers", base)
    values = 3 * np.array([1.0, 1.01, 1.03])
    low, high = stats.t.interval(0.99, 2, values.mean(), stats.sem(values))
    assert (claim.low, claim.high) == pytest.approx((low, high))


def test_a_claim_whose_interval_crosses_the_threshold_is_undecided():
    claim = three_seeds(0.05, 0.3, 0.5)
    assert claim.measured > 0.1 > claim.low
    assert claim.verdict == "undecided"
    ends = f"from {claim.low:.4g} to {claim.high:.4g}"
    assert claim.reason.startswith(
        f"not certain with 3 seeds: the 95 % interval reaches {ends}, across the threshold; "
    )
    # So is one whose mean is on the wrong side: the seeds tell neither.
    claim = three_seeds(0.05, 0.09, 0.12)
    assert claim.measured < 0.1 < claim.high
    assert claim.verdict == "undecided"
    claim = three_seeds(0.01, 0.02, 0.015)
    assert (claim.verdict, claim.high < 0.1) == ("does not hold", True)


def test_for_a_claim_from_above_the_upper_end_decides():
    base = by_seed("geometry", "joint_capacity", (0.04, 0.044, 0.052), group="permuted", epoch=2)
    claim = judged("permuted_at_lower_bound", base)
    assert claim.measured < 1.25 < claim.high
    assert (claim.verdict, claim.reason[:12]) == ("undecided", "not certain ")


def at_bound(multiple, **options):
    """Where the highest permuted capacity, of linear3, is this multiple of 2/M, with a standard error of 0.01."""
    base = study(**options)
    where = {"group": "permuted", "layer": "linear3", "epoch": 2}
    return judged("permuted_at_lower_bound", edited(base, "geometry", "joint_capacity", multiple * 0.04, **where))


def test_one_seed_within_the_error_of_its_draws_is_not_certain():
    claim = at_bound(1.2484)
    assert (claim.verdict, claim.measured) == ("undecided", pytest.approx(1.2484))
    why = "not certain with one seed: 1.2484 is within 0.0100, one standard error of its draws, of the thr"
    assert claim.reason.startswith(why)
    assert at_bound(1.239).verdict == "holds (one seed)"
    # As near on the other side it says as little; beyond the error the value decides.
    assert at_bound(1.2516).verdict == "undecided"
    assert at_bound(1.261).verdict == "does not hold"
    assert "not certain" not in at_bound(1.261).reason
    # Several seeds have an interval.
    assert at_bound(1.2484, seeds=(0, 1)).verdict == "holds"


def accuracies(*found):
    return judged("training_is_fitted", by_seed("metrics", "train_accuracy", found, epoch=FINAL))


def test_of_what_ends_at_0_or_1_every_seed_must_pass():
    """Student's interval about 0.9903, 0.9907 and 0.9906 begins at 0.9900; each of them passed the stopping rule."""
    claim = accuracies(0.9903, 0.9907, 0.99058)
    assert (claim.verdict, claim.low, claim.high) == ("holds", 0.9903, 0.9907)
    claim = accuracies(0.9899, 0.999, 0.999)
    assert (claim.verdict, claim.low, claim.high) == ("undecided", 0.9899, 0.999)
    across = "they reach from 0.9899 to 0.999, across the threshold"
    assert claim.reason.startswith(f"not certain with 3 seeds: {across}; the accuracy at")
    assert accuracies(0.98, 0.97, 0.9899).verdict == "does not hold"


def test_the_largest_of_any_layer_has_no_impossible_interval():
    where = {"group": "restored", "epoch": 2, "layer": "linear3"}
    base = by_seed("geometry", "joint_capacity", ("* 0.99", "* 1", "* 1.03"), **where)
    claim = judged("restored_capacity_like_test", base)
    found = [0.05, 0.05, 1.05 * 1.03 - 1]
    assert (claim.measured, claim.low, claim.high) == pytest.approx((np.mean(found), min(found), max(found)))
    assert np.mean(found) - stats.t.ppf(0.995, 2) * stats.sem(found) < 0
    assert claim.verdict == "holds"


def test_one_seed_that_cannot_decide_is_not_left_out():
    base = edited(study(seeds=(0, 1, 2)), "metrics", "permuted_accuracy", 0.3, epoch=FINAL, seed=1)
    claim = judged("test_falls_after_peak", base)
    assert claim.verdict == "not testable"
    assert claim.reason.startswith("seed 1: training ended before the network memorized")


def test_what_is_the_same_for_all_seeds_is_said_once():
    claim = judged("spheres_start_uncorrelated", study(seeds=(0, 1, 2)))
    assert claim.reason == "said of the data set spheres or spheres_small, not of digits"


def test_a_quantity_that_is_not_finite_decides_nothing():
    base = edited(study(), "gradients", "squared_norm", 0.0, group="all")
    assert judged("gradients_do_not_vanish", base).reason == "the quantity is NaN or infinite"


def test_seeds_have_their_own_best_epoch():
    base = edited(study(seeds=(0, 1)), "metrics", "test_accuracy", 0.95, epoch=3, seed=1)
    claim = judged("restored_capacity_like_test", base)
    assert "nothing was measured at the best epoch, 3" in claim.reason


# --- sweeps


def test_of_a_sweep_over_fractions_the_runs_with_half_of_the_labels_permuted_are_judged():
    claim = judged("training_is_fitted", edited(fractions(), "metrics", "train_accuracy", 0.2, permuted_fraction=1.0))
    assert (claim.verdict, claim.measured) == ("holds (one seed)", 0.995)
    claim = judged("training_is_fitted", without(fractions(), "metrics", permuted_fraction=0.5))
    assert "no run of the sweep has half of the labels permuted" in claim.reason


@pytest.mark.parametrize("name", ["training_is_fitted", "first_layer_alike_at_every_fraction"])
def test_a_sweep_over_more_than_fractions_is_not_mixed(name):
    base = edited(fractions(), "geometry", "run", "wider", layer="linear1")
    base = edited(base, "metrics", "run", "wider", epoch=FINAL)
    assert "differ in more than their permuted fraction" in judged(name, base).reason


@pytest.mark.parametrize("name", ["training_is_fitted", "first_layer_alike_at_every_fraction"])
def test_runs_of_different_settings_are_not_compared(name):
    """One run of each fraction, but of another width each; or one run of each seed, of another width each."""
    base = fractions()
    if name == "training_is_fitted":
        base = fractions(seeds=(0, 1))
        base = edited(base, "metrics", "run", "other", seed=1)
    for table in ("metrics", "geometry"):
        rows = base.tables[table]
        own = rows.assign(width=64 * (1 + rows["permuted_fraction"] + rows["seed"]))
        base = base._replace(tables={**base.tables, table: own}, axes=("permuted_fraction", "width", "seed"))
    assert judged(name, base).reason == (
        "the runs of the sweep differ in more than their permuted fraction, in width; judge them one by one"
    )


@pytest.mark.parametrize("name", ["training_is_fitted", "permuted_at_lower_bound"])
def test_a_seed_of_a_sweep_that_has_other_fractions_only_is_not_left_out(name):
    """As where a sweep was interrupted."""
    base = fractions(seeds=(0, 1))
    for table in ("metrics", "geometry"):
        base = without(base, table, permuted_fraction=0.5, seed=1)
    reason = "seed 1 has no run with permuted fraction 0.5, as other seeds have; resume the sweep"
    assert (judged(name, base).verdict, judged(name, base).reason) == ("not testable", reason)


MEASURED_OTHERWISE = (
    "geometry of run run0.5 was measured with other settings than that of run run0.0: examples_per_class=25 "
    "(there: 50); measure all of them again with the same"
)


def test_runs_that_were_measured_otherwise_are_not_compared():
    settings = {f"run{fraction}": {"examples_per_class": 50} for fraction in (0.0, 0.5, 1.0)}
    alike = fractions()._replace(settings={"geometry": settings})
    unlike = alike._replace(settings={"geometry": settings | {"run0.5": {"examples_per_class": 25}}})
    for name in ("last_layer_loses_with_fraction", "first_layer_alike_at_every_fraction"):
        assert judged(name, alike).verdict in HOLDS
        claim = judged(name, unlike)
        assert (claim.verdict, claim.reason) == ("not testable", MEASURED_OTHERWISE)
    # What is about one of the runs, or about accuracy, is judged all the same.
    for name in ("permuted_at_lower_bound", "original_labels_fall_less"):
        assert judged(name, unlike).measured == judged(name, alike).measured
        assert judged(name, unlike).verdict in HOLDS


def test_widths_that_were_measured_otherwise_are_not_compared():
    base = widths()
    table = base.tables["double_descent"]
    settings = {f"width_{width}": {"kappa": 0.5 * (width > 4)} for width in table["width"]}
    base = base._replace(tables={"double_descent": table.assign(run=[f"width_{width}" for width in table["width"]])})
    assert judged("dimension_descends_twice", base).verdict in HOLDS
    claim = judged("dimension_descends_twice", base._replace(settings={"double_descent": settings}))
    assert claim.verdict == "not testable"
    assert claim.reason.startswith("double_descent of run width_6 was measured with other settings than that of run")


def test_what_is_judged_before_the_end_of_training_is_said_to_be():
    assert "has not ended" not in judged("test_falls_after_peak", study()).reason
    going_on = judged("test_falls_after_peak", study()._replace(unfinished=(("", 0),)))
    assert going_on.verdict in HOLDS
    assert "training has not ended: what is called final is the last epoch so far" in going_on.reason
    of_two = judged("test_falls_after_peak", study(seeds=(0, 1))._replace(unfinished=(("", 1),)))
    assert "training of seed 1 has not ended" in of_two.reason


def test_what_a_run_of_a_sweep_lacks_is_named_with_the_run():
    base = without(fractions(), "geometry", permuted_fraction=0.5)
    assert judged("permuted_at_lower_bound", base).reason == (
        "run run0.5 (permuted fraction 0.5, seed 0) has no table geometry; "
        "make it with: python -m experiments.geometry --workdir=runs/sweep/run0.5"
    )
    base = without(fractions(), "geometry", permuted_fraction=0.5, epoch=2)
    assert "--workdir=runs/sweep/run0.5 --geometry_epochs=best" in judged("permuted_at_lower_bound", base).reason
    gradients = study().tables["gradients"].assign(run="run0.5", permuted_fraction=0.5)
    base = fractions()._replace(tables={**fractions().tables, "gradients": gradients[gradients["epoch"] > 1]})
    reason = judged("permuted_dep_below_ind", base).reason
    assert reason.endswith("--workdir=runs/sweep/run0.5 --gradient_epochs=log,best,final")


def test_a_table_that_a_sweep_lacks_is_made_run_by_run_and_several_widths_are_judged_one_by_one():
    assert judged("last_layer_recovers", fractions()).reason.endswith("--workdir=runs/sweep/RUN")
    assert judged("training_is_fitted", widths()).reason.endswith("judge them one by one")


def test_the_document_has_the_statements_as_they_are_in_the_code():
    assert as_markdown(registry.statements()) in (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
