import dataclasses
import itertools
import shutil

import numpy as np
import pandas as pd
import pytest

from memorize_jax.commands import double_descent, execute
from memorize_jax.measurements.driver import measure, noted_settings
from memorize_jax.measurements.registry import get_measurement, open_study
from memorize_jax.presets import PRESETS
from memorize_jax.report.catalog import draw
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_config
from memorize_jax.runs.notes import note_tables
from memorize_jax.runs.seeds import seed_folder
from memorize_jax.storage.tables import DOUBLE_DESCENT, GEOMETRY, JOINT, RESAMPLED, read_table, write_table
from tests.commands import NOTE
from tests.experiments.made_up import made_up_run

SMOKE = PRESETS["smoke"].with_run(epochs=2, permuted_fraction=0.1, keep="best,last", num_train=200)
SMOKE = dataclasses.replace(SMOKE, widths="4,2").replace("geometry", examples_per_class=4)
MEASUREMENT = get_measurement("double_descent")


def fake_train(folder, config, *_):
    options = dataclasses.asdict(config)
    made_up_run(folder, options.pop("permuted_fraction"), **options)


@pytest.fixture
def measured(monkeypatch):
    """Runs that were measured; the second time it is interrupted. All numbers are made up."""
    folders = []

    def measure(measurement, workdir, settings, splits=None, second=None):
        run = RunFolder(workdir)
        folders.append(str(run.workdir.relative_to(run.workdir.parents[1])))
        if len(folders) == 2:
            raise KeyboardInterrupt
        config = read_config(run)
        numbers = dict.fromkeys(DOUBLE_DESCENT, 0.5) | {"layer": "linear5", "num_parameters": 9 * config.width}
        numbers |= {"seed": config.seed, "width": config.width}
        rows = [{**numbers, "moment": moment} for moment in ("best", "final")]
        write_table(run.results / "double_descent.csv", rows, DOUBLE_DESCENT)
        note_tables(run, "double_descent", ("double_descent",), settings=noted_settings(settings), **NOTE)

    def train_seeds(folder, config, seeds, **_):
        for seed in seeds:
            fake_train(seed_folder(folder, seed), dataclasses.replace(config, seed=seed))

    monkeypatch.setattr(execute, "measure", measure)
    monkeypatch.setattr(execute, "train_run", fake_train)
    monkeypatch.setattr(execute, "train_seeds", train_seeds)
    return folders


@pytest.mark.parametrize(
    ("seeds", "folders"),
    [
        (None, ["width_2", "width_4", "width_4"]),
        ("0,3", [f"width_{width}/seed_{seed}" for width, seed in ((2, 0), (2, 3), (2, 3), (4, 0), (4, 3))]),
    ],
)
def test_every_width_is_a_run_and_the_study_is_resumed_where_it_stopped(tmp_path, measured, seeds, folders):
    plan = double_descent.plan_of(SMOKE, seeds)
    with pytest.raises(KeyboardInterrupt):
        double_descent.run_widths(tmp_path, plan, SMOKE)
    double_descent.run_widths(tmp_path, plan, SMOKE)
    assert [name.removeprefix(f"{tmp_path.name}/") for name in measured] == folders
    table = read_table(tmp_path / "results" / "double_descent.csv", DOUBLE_DESCENT, "")
    expected = itertools.product((2, 4), plan.seeds or (0,), ("best", "final"))
    assert table[["width", "seed", "moment"]].to_numpy().tolist() == list(map(list, expected))
    for name in folders:
        assert f"width_{read_config(RunFolder(tmp_path / name)).width}" == name.partition("/")[0]
    assert pd.read_csv(tmp_path / "runs.csv")["state"].tolist() == ["complete", "complete"]
    drawn = draw(open_study(tmp_path), [figure.name for figure in MEASUREMENT.figures])
    assert {"fig4c.svg", "fig4d.svg", "fig4e.svg"} <= {path.name for path in drawn if path.stat().st_size}


@pytest.mark.slow
def test_the_test_manifolds_of_the_last_hidden_layer_are_measured(smoke_run, tmp_path):
    run = RunFolder(shutil.copytree(smoke_run, tmp_path / "run"))
    rows = measure(MEASUREMENT, run.workdir, PRESETS["smoke"].of_all(MEASUREMENT))
    metrics = pd.read_csv(run.metrics)
    assert rows["moment"].tolist() == ["best", "final"]
    assert rows["test_accuracy"].tolist() == [metrics["test_accuracy"].max(), metrics["test_accuracy"].iloc[-1]]
    # 64 inputs, five hidden layers of 32 units, ten classes.
    assert set(rows["num_parameters"]) == {64 * 32 + 4 * 32**2 + 5 * 32 + 32 * 10 + 10}
    table = read_table(run.results / "geometry.csv", GEOMETRY, "")
    same = table[(table["epoch"] == 4) & (table["group"] == "test") & (table["layer"] == "linear5")].iloc[0]
    joint = ("joint_capacity", "joint_radius", "joint_dimension", "joint_classes", "joint_status")
    for column in ("capacity", "radius", "dimension", "center_correlation", *joint):
        np.testing.assert_allclose(rows[column].iloc[1], same[column], rtol=1e-3)


def test_widths_come_in_order_each_once_and_malformed_ones_are_named():
    assert double_descent.parse_widths("8, 1,2,1") == [1, 2, 8]
    for text in ("", "0", "1,,2", "1.5", "-1", "two"):
        with pytest.raises(ValueError, match="expected widths like 1,2,4,8, got"):
            double_descent.parse_widths(text)


def test_too_few_test_examples_are_noticed_before_anything_is_trained(tmp_path):
    preset = SMOKE.replace("geometry", examples_per_class=10_000)
    with pytest.raises(ValueError, match="at least 10000 test examples in every class"):
        double_descent.run_widths(tmp_path / "new", double_descent.plan_of(preset, None), preset)
    assert not (tmp_path / "new").exists()


def test_tables_of_before_are_read_without_joint_geometry(tmp_path):
    before = [column for column in DOUBLE_DESCENT if column not in {*JOINT, *RESAMPLED}]
    row = dict.fromkeys(before, 0.5) | {"layer": "linear2", "moment": "best"}
    write_table(tmp_path / "double_descent.csv", [row], before)
    own = MEASUREMENT.tables["double_descent"]
    table = read_table(tmp_path / "double_descent.csv", own.columns, "", text=own.text, added=own.added)
    assert table["joint_capacity"].isna().all()
    assert table["capacity_example_sd"].isna().all()
