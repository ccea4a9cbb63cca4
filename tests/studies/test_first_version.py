"""Folders that the first version of the project made, without their networks: what reads tables reads them still."""

import dataclasses
import pathlib
import shutil

import pandas as pd
import pytest

from memorize_jax.claims.sheet import evaluate
from memorize_jax.commands import report
from memorize_jax.commands.execute import is_complete
from memorize_jax.figures.figure import missing
from memorize_jax.measurements.registry import figures, get_measurement, open_study, statements
from memorize_jax.presets import PRESETS
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.labels import read_labels
from memorize_jax.runs.noted import read_noted
from memorize_jax.studies.index import write_runs
from memorize_jax.studies.plan import make_plan

FOLDER = pathlib.Path(__file__).parent.parent / "first_version"
# Kind of study -> (its seeds, axes, tables, folders, a figure that can be drawn).
STUDIES = {
    "seeds": ((0, 1), (), {"metrics", "geometry"}, [], "fig3b"),
    "widths": ((0,), ("width",), {"metrics", "double_descent"}, ["width_2", "width_4"], "fig4c"),
    "sweep": ((0,), ("permuted_fraction",), {"metrics", "geometry"}, ["cd2592d6f630", "c27d3bd31fbc"], "figa8"),
}


@pytest.mark.parametrize("kind", STUDIES)
def test_tables_statements_and_the_report(kind, tmp_path):
    seeds, axes, tables, folders, figure = STUDIES[kind]
    folder = shutil.copytree(FOLDER / kind, tmp_path / kind)
    study = open_study(folder)
    assert (study.model, study.dataset, study.seeds, study.axes) == ("mlp", "digits", seeds, axes)
    assert set(study.tables) == tables
    assert study.unfinished == ()
    assert list(study.tables["metrics"].get("run", pd.Series()).unique()) == folders
    assert missing(figures()[figure], study) == ""
    verdicts = {claim.claim: claim.verdict for claim in evaluate(study, statements())}
    # Two widths are too few for any statement.
    assert (set(verdicts.values()) == {"not testable"}) == (kind == "widths")
    path, judged = report.run(folder)
    assert {claim.claim: claim.verdict for claim in judged} == verdicts
    assert figures()[figure].title in path.read_text(encoding="utf-8")


def test_widths_are_one_table_over_all():
    table = open_study(FOLDER / "widths").tables["double_descent"]
    assert table[["width", "moment"]].to_numpy().tolist() == [[2, "best"], [2, "final"], [4, "best"], [4, "final"]]
    stored = pd.read_csv(FOLDER / "widths" / "results" / "double_descent.csv")
    pd.testing.assert_frame_equal(table[stored.columns], stored)
    assert table["joint_capacity"].isna().all()


def test_a_sweep_is_known_by_the_names_of_its_runs_and_resumed(tmp_path):
    """The plan of the same command names the same folders, and finds nothing to do in them."""
    folder = shutil.copytree(FOLDER / "sweep", tmp_path / "sweep")
    preset = PRESETS["smoke"].with_run(width=4, epochs=2, num_train=400)
    preset = preset.replace("geometry", geometry_epochs="final", examples_per_class=4, num_draws=20, joint_draws=10)
    plan = make_plan(preset.run, {"permuted_fraction": [0, 0.5]})
    table = write_runs(folder, plan, lambda run: is_complete(run, [get_measurement("geometry")], preset))
    assert table["run"].tolist() == STUDIES["sweep"][3]
    assert table["state"].tolist() == ["complete", "complete"]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "runs.csv"), pd.read_csv(FOLDER / "sweep" / "runs.csv"))


def test_labels_and_settings_are_those_of_the_run():
    run = RunFolder(FOLDER / "seeds" / "seed_1")
    noted = read_noted(run)
    assert noted.config == dataclasses.replace(PRESETS["smoke"].run, width=4, epochs=2, num_train=400, seed=1)
    assert noted.settings["geometry"]["num_draws"] == 20
    assert read_labels(run, noted).is_permuted.sum() == 200
