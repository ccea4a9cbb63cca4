"""Claims of the runs of a sweep one by one, on the committed study of recipes."""

import pytest

from benchmarks import claims_by_run, rise_by_run
from memorize_jax.claims.sheet import evaluate
from memorize_jax.claims.statement import NOT_TESTABLE
from memorize_jax.measurements.registry import open_study, statements
from tests.commands import ROOT

FOLDER = ROOT / "docs" / "results" / "vgg16_recipes"


@pytest.fixture(scope="module")
def runs():
    return claims_by_run.judged_runs(open_study(FOLDER))


def test_every_run_is_named_by_what_is_not_usual_and_judged_by_itself(runs):
    decay = "weight decay 0.0005"
    assert [one.name for one in runs] == ["adam", "sgd", f"sgd, {decay}", f"sgd, {decay}, augment flip,crop"]
    (last,) = (path for path in FOLDER.iterdir() if path.name == runs[-1].study.workdir.name)
    assert [claim.verdict for claim in runs[-1].claims] == [
        claim.verdict for claim in evaluate(open_study(last), statements())
    ]


def test_a_row_for_each_claim_that_a_run_can_test(runs):
    head, _, *lines = claims_by_run.table(runs).splitlines()
    assert head == f"| claim | expected | {' | '.join(one.name for one in runs)} |"
    tested = {claim.claim for one in runs for claim in one.claims if claim.verdict != NOT_TESTABLE}
    assert {line.split("`")[1] for line in lines} == tested
    (line,) = (line for line in lines if "`restored_rises`" in line)
    measured = [one.claim("restored_rises").measured for one in runs]
    assert [float(cell.split(",")[0]) for cell in line.split("|")[3:-1]] == pytest.approx(measured, rel=0.01)


def test_the_rise_of_permuted_capacity_is_that_of_the_tables(runs):
    lines = [line.strip("| ").split(" | ") for line in rise_by_run.table(runs).splitlines()]
    assert lines[0] == ["layer", *(one.name for one in runs)]
    own = runs[0].study
    assert [line[0] for line in lines[2:]] == list(own.layers)
    geometry = own.tables["geometry"].query("layer == 'conv17' and group == 'permuted'").set_index("epoch")
    (best,), (final,) = (own.epochs_of(stage).values() for stage in ("best", "final"))
    expected = [geometry.loc[epoch, "joint_capacity"] * 25 for epoch in (best, final)]
    (said,) = (line[1] for line in lines if line[0] == "conv17")
    assert [float(value) for value in said.split(" → ")] == pytest.approx(expected, abs=0.005)
