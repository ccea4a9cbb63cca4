"""What the command says: one line for each thing that went wrong, and what was measured; the spread over examples."""

import dataclasses
import importlib
import shutil

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from memorize_jax.analysis.examples import choose_examples, resampled_groups
from memorize_jax.analysis.manifold_rows import geometry_rows
from memorize_jax.analysis.manifolds import compiled_network_geometries
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.commands.geometry import measure_points
from memorize_jax.geometry import status
from memorize_jax.keys import stream
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.geometry import MEASUREMENT
from memorize_jax.runs.run import open_run
from memorize_jax.storage.tables import JOINT, RESAMPLED
from tests.measurements import tiny

LABELS = np.repeat(np.arange(4), [4, 6, 6, 6])
SETTINGS = tiny.PRESET.of("geometry")
OF_POINTS = GeometrySettings(examples_per_class=None, num_draws=20, num_center_components=0, joint_draws=0)


def test_a_dead_layer_and_what_was_taken_are_said(tmp_path, capsys):
    good = np.random.default_rng(0).normal(size=(22, 8))
    np.savez(tmp_path / "own.npz", labels=LABELS, good=good, relu7=0 * good)
    table = measure_points(tmp_path / "own.npz", tmp_path / "out", OF_POINTS, seed=0)
    said = capsys.readouterr()
    assert said.err.startswith("warning: layer 'relu7', classes 0, 1, 2, 3: its cent")
    assert said.err.count("\n") == 1
    assert said.out == "measured on all 4 to 6 examples of each of 4 classes\n"
    rows = pd.read_csv(table).set_index("layer")
    assert (rows.loc["relu7", "status"] > 0, rows.loc["relu7", "num_valid_classes"]) == (True, 0)
    assert (rows.loc["good", "status"], rows.loc["good", "num_valid_classes"]) == (0, 4)
    repeated = dataclasses.replace(OF_POINTS, example_repeats=2)
    again = pd.read_csv(measure_points(tmp_path / "own.npz", tmp_path / "again", repeated, seed=0)).set_index("layer")
    plain = [name for name in rows if "example_" not in name]
    assert again[plain].equals(rows[plain])
    assert (again["example_repeats"] == 2).all()
    assert again.loc["good", "capacity_example_sd"] > 0
    assert again.loc["good", "radius_low"] < again.loc["good", "radius_mean"] < again.loc["good", "radius_high"]
    assert again.loc["relu7", ["radius_mean", "radius_low"]].isna().all()


def test_troubles_of_a_run_are_said_with_epoch_and_group(tiny_runs, tmp_path, monkeypatch, capsys):
    def troubled(*arguments, **options):
        found = compiled_network_geometries(*arguments, **options)
        flags = jnp.asarray(found.mean_field.status).at[1, 2].set(status.NOT_CONVERGED)
        return found._replace(mean_field=dataclasses.replace(found.mean_field, status=flags))

    module = importlib.import_module(f"{MEASUREMENT.room}.measure")
    monkeypatch.setattr(module, "compiled_network_geometries", troubled)
    folder = shutil.copytree(tiny_runs["trained"], tmp_path / "run")
    measure(MEASUREMENT, folder, [dataclasses.replace(SETTINGS, geometry_epochs="0")])
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning: " in line]
    said = ("unpermuted", "permuted", "restored", "test")
    assert len(lines) == len(said)
    for line, group in zip(lines, said, strict=True):
        assert f"warning: epoch 0, {group}: layer 'linear1', class " in line
        assert "its quadratic programs did not converge" in line


def test_where_all_examples_are_taken_there_is_no_spread(tiny_runs, capsys):
    run = open_run(tiny_runs["trained"])
    settings = dataclasses.replace(SETTINGS, examples_per_class=8)
    chosen = choose_examples(run.splits, run.labels, settings, seed=0, names=["test"])
    assert resampled_groups(run.splits, run.labels, chosen) == []
    said = capsys.readouterr().err
    assert said.startswith("warning: test: all examples of every class are measured, so there are no others")
    assert said.endswith("no spread over them; lower --examples_per_class\n")
    chosen = choose_examples(run.splits, run.labels, SETTINGS, seed=0)
    assert resampled_groups(run.splits, run.labels, chosen) == list(chosen)


@pytest.mark.slow
def test_the_spread_is_that_of_other_choices_and_the_numbers_stay(tiny_runs, tmp_path):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path / "run")
    once = dataclasses.replace(SETTINGS, joint_draws=20)
    repeated = dataclasses.replace(once, example_repeats=3)
    before, table = (measure(MEASUREMENT, folder, [settings]) for settings in (once, repeated))
    same = [column for column in table if column not in RESAMPLED]
    pd.testing.assert_frame_equal(table[same], before[same])
    assert before[list(RESAMPLED[1:])].isna().all(axis=None)
    assert before["example_repeats"].eq(1).all()
    assert not before[["joint_capacity", "joint_utility"]].isna().any(axis=None)
    assert table["example_repeats"].eq(3).all()

    # One group by hand.
    run, found = open_run(folder), []
    names = tuple(run.layers)
    for repeat in range(3):
        own = choose_examples(run.splits, run.labels, repeated, seed=0, repeat=repeat)["permuted"]
        result = compiled_network_geometries(
            *(run.model(), run.network(3), run.splits.train.images[own], run.statistics, stream(0, "geometry")),
            layers=names[1:],
            options=repeated.options(),
        )
        found.append(pd.DataFrame(geometry_rows(result.mean_field, names, {}, joint=result.joint)))
    rows = table.query("epoch == 3 and group == 'permuted'")
    for column in ("capacity", "radius", "dimension", "joint_capacity"):
        expected = np.std([own[column] for own in found], axis=0, ddof=1)
        np.testing.assert_allclose(rows[f"{column}_example_sd"], expected, rtol=1e-3, atol=1e-6)
        assert (expected > 0).all()
    without = measure(MEASUREMENT, folder, [SETTINGS])
    assert without[list(JOINT)].isna().all(axis=None)
    pd.testing.assert_series_equal(without["capacity"], before["capacity"], rtol=1e-5)


def test_what_cannot_be_measured_is_refused(tmp_path):
    for name, value, message in (
        ("joint_draws", 1, "expected joint_draws >= 2, or 0 to measure no joint geometry, got 1"),
        ("kappa", -1.0, "expected kappa >= 0, got -1.0"),
        ("num_center_components", -2, "expected num_center_components >= 0, or -1 to choose it, got -2"),
        ("compat", "none", "expected compat to be 'mftma' or not given, got none"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(SETTINGS, **{name: value}).validate()
