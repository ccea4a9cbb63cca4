"""Every statement of the registry, on invented studies: holds, fails, cannot be decided."""

import re

import numpy as np
import pytest

from memorize_jax.claims.sheet import evaluate
from memorize_jax.claims.statement import HOLDS, VERDICTS
from memorize_jax.measurements import registry
from tests.claims.cases import BASES, FAILS, HELD, LAST, MLP, STATEMENTS, SWEEP, TINY, WIDTHS, F, P
from tests.claims.invented import (
    BEST,
    FINAL,
    assert_judged,
    assert_not_testable,
    edited,
    judged,
    no_permuted,
    study,
    without,
)
from tests.claims.untestable import OF_UNPERMUTED, UNTESTABLE, of

# Of HELD.
WHOLE = (0, 3, 5)


def held(base):
    return {claim.claim for claim in evaluate(base, registry.statements()) if claim.verdict in HOLDS}


@pytest.fixture(scope="module")
def judged_on():
    """What is claimed of each invented study, name -> claim, judged once: all of a run, of a sweep, of many widths."""
    asked = [
        [one for name, one in STATEMENTS.items() if name in values or index in WHOLE]
        for index, (_, values) in enumerate(HELD)
    ]
    judged = [evaluate(base, own) for (base, _), own in zip(HELD, asked, strict=True)]
    return [{claim.claim: claim for claim in claims} for claims in judged]


def test_every_statement_says_all_there_is_to_say_and_is_tested_here():
    assert len(STATEMENTS) == len(registry.statements()) == 77
    for name, one in STATEMENTS.items():
        assert re.fullmatch("[a-z_]+", name)
        assert all((one.figure, one.statement, one.quantity, one.why)), name
        assert one.threshold.sign in "<>"
        assert one.needs, name
        assert set(one.needs) <= set(registry.tables()), name
    failing = {name for rows in FAILS.values() for name, *_ in rows}
    assert set(BASES) == failing == set(STATEMENTS)


def test_every_claim_has_a_verdict_and_a_reason(judged_on):
    for index, claims in enumerate(judged_on):
        assert index not in WHOLE or list(claims) == list(STATEMENTS)
        for claim in claims.values():
            assert claim.verdict in VERDICTS
            assert claim.reason
            assert np.isnan(claim.measured) == (claim.verdict == "not testable")
            assert np.isnan([claim.low, claim.high]).all()


@pytest.mark.parametrize("index", range(len(HELD)))
def test_what_holds(index, judged_on):
    for name, value in HELD[index][1].items():
        claim = judged_on[index][name]
        assert (claim.verdict, claim.measured) == ("holds (one seed)", pytest.approx(value, abs=1e-12)), name


@pytest.mark.parametrize("table", FAILS)
def test_what_does_not_hold(table):
    for name, column, value, where, measured in FAILS[table]:
        assert_judged(name, edited(BASES[name], table, column, value, **where), "does not hold", measured)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_missing_table_is_named_with_the_command_that_makes_it(name):
    for table in STATEMENTS[name].needs:
        if table == "double_descent":
            reason = "these are not networks of several widths; train some with: python -m experiments.double_descent"
        else:
            folder = f"{BASES[name].workdir}{'/RUN' * bool(STATEMENTS[name].axes)}"
            made_by = f"python -m experiments.{registry.tables()[table][1]} --workdir={folder}"
            reason = f"no table {table}; make it with: {made_by}"
        base = BASES[name]
        others = {other: rows for other, rows in base.tables.items() if other != table}
        assert_not_testable(name, base._replace(tables=others), reason)


@pytest.mark.parametrize("case", range(len(UNTESTABLE)))
def test_what_is_not_testable(case):
    names, spoil, reason = UNTESTABLE[case]
    assert names
    for name in [names] if isinstance(names, str) else names:
        assert_not_testable(name, spoil(BASES[name]), reason)


@pytest.mark.parametrize("name", of("geometry"))
def test_the_output_the_input_and_epochs_that_lack_decide_nothing(name):
    base = edited(MLP, "geometry", "joint_capacity", 77.0, layer=("input", "linear6"))
    base = edited(base, "geometry", "radius", 77.0, layer=("input", "linear6"))
    assert judged(name, base).measured == pytest.approx(dict(HELD[0][1])[name])
    stage, epoch = ("final", FINAL) if name == "early_layers_alike_at_the_end" else ("best", BEST)
    assert judged(name, without(MLP, "geometry", epoch=epoch)).reason == (
        f"nothing was measured at the {stage} epoch, {epoch}; measure it "
        "with: python -m experiments.geometry --workdir=runs/mine --geometry_epochs=best,final"
    )


def test_without_permuted_labels_nothing_about_memorizing_is_confirmed():
    base = without(no_permuted(MLP), "geometry", group=("permuted", "restored"))
    base = without(base, "gradients", group="permuted")
    assert held(base) == {"theory_matches_simulation", *OF_UNPERMUTED}


# "unpermuted" is another word.
ABOUT_PERMUTED = re.compile(r"\bpermuted|restored|memori|other labels|true label", re.IGNORECASE)


@pytest.mark.parametrize(
    "base",
    [
        no_permuted(MLP),
        no_permuted(TINY),
        edited(WIDTHS, "double_descent", "permuted_accuracy", np.nan, seed=0),
        without(without(SWEEP, "metrics", permuted_fraction=(0.5, 1.0)), "geometry", permuted_fraction=(0.5, 1.0)),
    ],
    ids=["run", "tiny", "widths", "sweep"],
)
def test_a_run_with_fraction_0_decides_nothing_about_permuted_examples(base):
    """Whatever its tables have: also rows of groups that it cannot have."""
    claims = evaluate(base, registry.statements())
    about = [claim for claim in claims if ABOUT_PERMUTED.search(claim.statement + claim.quantity)]
    assert len(about) > len(STATEMENTS) // 2
    assert {claim.claim for claim in about if claim.verdict != "not testable"} == set()


def test_a_run_of_one_epoch_confirms_no_memorizing():
    base = MLP._replace(tables={**MLP.tables, "metrics": MLP.tables["metrics"][:2]})
    of_the_start = {name for name, one in STATEMENTS.items() if "Near initialization" in one.statement}
    assert held(base) <= of_the_start | {"theory_matches_simulation", "restored_rises", "gradients_do_not_vanish"}
    assert "permuted_dep_starts_near_zero" not in held(base)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (("linear1",), "the network has no hidden layer, only linear1"),
        ((), "the networks of the sweep differ in their layers; judge its runs one by one"),
    ],
)
def test_without_a_hidden_layer_nothing_is_said_of_layers(layers, reason):
    of_layers = {"last_layer_recovers", "late_layers_recover_more", "restored_capacity_like_test"}
    of_layers |= {"permuted_at_lower_bound", "early_layers_unchanged", "gradients_do_not_vanish", *of("umap")}
    claims = {claim.claim: claim for claim in evaluate(MLP._replace(layers=layers), registry.statements())}
    assert {(claims[name].verdict, claims[name].reason) for name in of_layers} == {("not testable", reason)}


def test_an_interrupted_run_may_still_get_there():
    base = edited(study(seeds=(0, 1)), "metrics", "train_accuracy", 0.5, epoch=FINAL, seed=1)
    assert_not_testable(
        "training_is_fitted",
        base._replace(unfinished=(("", 1),)),
        "seed 1: training has not ended, it is at epoch 4; resume it with: python -m experiments",
    )
    # One that used its epochs up did not get there.
    assert judged("training_is_fitted", base).verdict == "does not hold"
    assert judged("training_is_fitted", SWEEP._replace(unfinished=(("run1.0", 0),))).verdict == "holds (one seed)"
    assert judged("training_is_fitted", SWEEP._replace(unfinished=(("run0.5", 0),))).verdict == "not testable"


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "not testable"), (1.09, "not testable"), (1.12, "holds (one seed)")]
)
def test_where_no_layer_gained_there_is_nothing_to_locate(factor, verdict):
    base = edited(MLP, "geometry", "joint_capacity", 0.044, **P, **F)
    claim = judged(
        "memorized_mostly_in_late_layers", edited(base, "geometry", "joint_capacity", 0.044 * factor, **P, **F, **LAST)
    )
    assert claim.verdict == verdict
    assert ("in no layer permuted capacity rose by a tenth" in claim.reason) == (verdict == "not testable")
