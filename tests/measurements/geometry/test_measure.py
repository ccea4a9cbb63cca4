"""What the command says: one line for each thing that went wrong, and what was measured."""

import dataclasses
import shutil

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from experiments.configs import GeometryConfig
from experiments.trained import choose_examples, opened

from experiments import geometry
from memorize_jax.analysis import geometry_rows
from memorize_jax.geometry import status
from memorize_jax.keys import stream
from memorize_jax.storage.tables import GEOMETRY, JOINT, RESAMPLED, read_table

LABELS = np.repeat(np.arange(4), [4, 6, 6, 6])
CONFIG = GeometryConfig(examples_per_class=None, num_draws=20, num_center_components=0, joint_draws=0)


def test_a_dead_layer_and_what_was_taken_are_said(tmp_path, capsys):
    good = np.random.default_rng(0).normal(size=(22, 8))
    np.savez(tmp_path / "own.npz", labels=LABELS, good=good, relu7=0 * good)
    table = geometry.run_on_points(tmp_path / "own.npz", tmp_path / "out", CONFIG, seed=0)
    said = capsys.readouterr()
    assert said.err.startswith("warning: layer 'relu7', classes 0, 1, 2, 3: its center")
    assert said.err.count("\n") == 1
    assert said.out == "measured on all 4 to 6 examples of each of 4 classes\n"
    rows = pd.read_csv(table).set_index("layer")
    assert (rows.loc["relu7", "status"] > 0, rows.loc["relu7", "num_valid_classes"]) == (True, 0)
    assert (rows.loc["good", "status"], rows.loc["good", "num_valid_classes"]) == (0, 4)


@pytest.mark.slow
def test_troubles_of_a_run_are_said_with_epoch_and_group(smoke_run, tmp_path, monkeypatch, capsys):
    shutil.copytree(smoke_run, tmp_path / "run")
    measure = geometry.compiled_network_geometries

    def troubled(*arguments, **options):
        found = measure(*arguments, **options)
        flags = jnp.asarray(found.mean_field.status).at[1, 2].set(status.NOT_CONVERGED)
        return found._replace(mean_field=dataclasses.replace(found.mean_field, status=flags))

    monkeypatch.setattr(geometry, "compiled_network_geometries", troubled)
    config = dataclasses.replace(CONFIG, geometry_epochs="0", examples_per_class=5)
    geometry.run(tmp_path / "run", config)
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning: " in line]
    assert len(lines) == 4
    for line, group in zip(lines, ("unpermuted", "permuted", "restored", "test"), strict=True):
        assert f"warning: epoch 0, {group}: layer 'linear1', class 2: its quadratic programs did not converge" in line


JOINTLY = GeometryConfig(
    geometry_epochs="0,final", examples_per_class=10, num_draws=20, num_center_components=1, joint_draws=20
)
REPEATED = dataclasses.replace(JOINTLY, example_repeats=3)


def measured(folder, config):
    geometry.run(folder, config)
    return read_table(folder / "results" / "geometry.csv", GEOMETRY, "")


@pytest.fixture
def copied(smoke_run, tmp_path):
    return shutil.copytree(smoke_run, tmp_path / "run")


@pytest.mark.slow
def test_the_spread_is_that_of_other_choices_and_the_numbers_stay(copied):
    once, table = measured(copied, JOINTLY), measured(copied, REPEATED)
    same = [column for column in GEOMETRY if column not in RESAMPLED]
    pd.testing.assert_frame_equal(table[same], once[same])
    assert once[list(RESAMPLED[1:])].isna().all(axis=None)
    assert once["example_repeats"].eq(1).all()
    assert not once[["joint_capacity", "joint_utility"]].isna().any(axis=None)
    assert table["example_repeats"].eq(3).all()

    # One group by hand.
    with opened(copied) as trained:
        key, names = stream(trained.config.seed, "geometry"), tuple(trained.layers)
        found = []
        for repeat in range(3):
            own = choose_examples(trained.splits, trained.labels, REPEATED, seed=trained.config.seed, repeat=repeat)
            result = geometry.compiled_network_geometries(
                trained.model(),
                trained.store.load(4),
                trained.splits.train.images[own["permuted"]],
                trained.statistics,
                key,
                layers=names[1:],
                options=geometry.geometry_options(REPEATED),
            )
            found.append(pd.DataFrame(geometry_rows(result.mean_field, names, {}, joint=result.joint)))
    rows = table.query("epoch == 4 and group == 'permuted'")
    for column in ("capacity", "radius", "dimension", "joint_capacity"):
        expected = np.std([own[column] for own in found], axis=0, ddof=1)
        np.testing.assert_allclose(rows[f"{column}_example_sd"], expected, rtol=1e-3, atol=1e-6)
        assert (expected > 0).all()


@pytest.mark.slow
def test_it_goes_on_where_it_was_killed_and_a_switch_leaves_the_joint_geometry_out(copied, tmp_path, monkeypatch):
    whole = measured(shutil.copytree(copied, tmp_path / "other"), REPEATED)
    measure, calls = geometry.compiled_network_geometries, []

    def killed(*arguments, **options):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return measure(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(geometry, "compiled_network_geometries", killed)
        with pytest.raises(KeyboardInterrupt):
            geometry.run(copied, REPEATED)
        # Two groups of three choices were done, the third was interrupted.
        pd.testing.assert_frame_equal(measured(copied, REPEATED), whole)
    assert len(calls) == 8 + 6 * 3
    off = measured(copied, dataclasses.replace(JOINTLY, joint_draws=0))
    assert off[list(JOINT)].isna().all(axis=None)
    pd.testing.assert_series_equal(off["capacity"], whole["capacity"], rtol=1e-5)


@pytest.mark.slow
def test_where_all_examples_are_taken_there_is_no_spread(copied, capsys):
    with opened(copied) as trained:
        most = np.bincount(trained.splits.test.labels).min()
    config = dataclasses.replace(REPEATED, geometry_epochs="0", examples_per_class=int(most), joint_draws=0)
    table = measured(copied, config)
    said = [line for line in capsys.readouterr().err.splitlines() if "all examples of class" in line]
    assert "warning: test: all examples of class" in said[0]
    assert "so there are no others and no spread over them; lower --examples_per_class" in said[0]
    is_test = table["group"] == "test"
    assert table.loc[is_test, "capacity_example_sd"].isna().all()
    assert table.loc[is_test, "example_repeats"].eq(1).all()
    assert (table.loc[table["group"] == "unpermuted", "capacity_example_sd"] > 0).all()


def test_what_cannot_be_measured_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected joint_draws >= 2, or 0 to measure no joint geometry, got 1"):
        dataclasses.replace(CONFIG, joint_draws=1).validate()
    with pytest.raises(ValueError, match="expected example_repeats 1 with --points, got 3"):
        geometry.run_on_points(tmp_path / "own.npz", tmp_path, dataclasses.replace(CONFIG, example_repeats=3), seed=0)
