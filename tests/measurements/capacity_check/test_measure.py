"""The capacity check on the run of the smoke preset."""

import dataclasses
import shutil

import numpy as np
import pytest

from experiments import capacity_check, presets
from memorize_jax import figures
from memorize_jax.data import GROUPS
from memorize_jax.measurements.capacity_check.simulation import RepeatedCapacity
from memorize_jax.runs.folder import Run
from memorize_jax.storage.tables import CAPACITY_CHECK, GEOMETRY, read_table
from memorize_jax.studies.study import read_study

GEOMETRY_CONFIG = presets.PRESETS["smoke"].geometry
CONFIG = presets.CapacityCheckConfig(capacity_epochs="0,final", capacity_dichotomies=7)


def table_of(workdir):
    return read_table(Run(workdir).results / "capacity_check.csv", CAPACITY_CHECK, "")


@pytest.fixture
def copied(smoke_run, tmp_path):
    return shutil.copytree(smoke_run, tmp_path / "run")


@pytest.fixture
def simulated(monkeypatch):
    """Stands in for the simulation, which takes long; returns the points that were simulated."""
    seen = []

    def simulate(points, *, key, num_repetitions, num_dichotomies, expected):
        seen.append(points)
        bound = (0, -1, 1)[len(seen) % 3]
        return RepeatedCapacity(0.3, float("nan") if bound else 0.01, bound, 0.0)

    monkeypatch.setattr(capacity_check, "repeated_capacity", simulate)
    return seen


@pytest.mark.slow
def test_theory_is_that_of_the_geometry_step_on_the_points_that_are_simulated(copied, simulated):
    capacity_check.run(copied, CONFIG, GEOMETRY_CONFIG)
    table = table_of(copied)
    assert len(table) == len(simulated) == 2 * 4 * 7
    assert table["group"].unique().tolist() == list(GROUPS)
    keys = ["epoch", "layer", "group"]
    geometry = read_table(Run(copied).results / "geometry.csv", GEOMETRY, "").set_index(keys)
    same = geometry.loc[list(table[keys].itertuples(index=False, name=None))]
    np.testing.assert_allclose(table["mean_field_capacity"], same["capacity"], rtol=1e-5)
    np.testing.assert_allclose(table["mean_field_standard_error"], same["capacity_standard_error"], rtol=1e-4)
    np.testing.assert_allclose(table["joint_capacity"], same["joint_capacity"], rtol=1e-4)
    np.testing.assert_allclose(table["joint_standard_error"], same["joint_capacity_standard_error"], rtol=1e-3)
    np.testing.assert_array_equal(table[["joint_classes", "joint_status"]], same[["joint_classes", "joint_status"]])
    assert [points.shape for points in simulated] == [(10, 10, number) for number in table["num_inputs"]]
    assert table["num_inputs"][:7].tolist() == [64, 32, 32, 32, 32, 32, 10]
    (drawn,) = figures.draw(read_study(copied), ["fig1b"])
    assert drawn.stat().st_size > 0


def test_it_goes_on_where_it_was_interrupted(copied, simulated, monkeypatch):
    simulate = capacity_check.repeated_capacity

    def failing(points, **options):
        if len(simulated) == 17:
            raise KeyboardInterrupt
        return simulate(points, **options)

    with monkeypatch.context() as patch:
        patch.setattr(capacity_check, "repeated_capacity", failing)
        with pytest.raises(KeyboardInterrupt):
            capacity_check.run(copied, CONFIG, GEOMETRY_CONFIG)
    capacity_check.run(copied, CONFIG, GEOMETRY_CONFIG)
    # Two of the eight groups were finished.
    assert len(simulated) == 17 + 6 * 7
    assert len(table_of(copied)) == 8 * 7


@pytest.mark.slow
def test_simulation_and_theory_agree_on_a_run(copied):
    capacity_check.run(copied, dataclasses.replace(CONFIG, capacity_classes=9), GEOMETRY_CONFIG)
    table = table_of(copied)
    assert (table["num_classes"] == 9).all()
    # In layers of a few features classes vary along the same directions, which the theory does not know.
    inputs = table[table["layer"] == "input"]
    assert (inputs["bound"] == 0).all()
    np.testing.assert_allclose(inputs["simulated_capacity"], inputs["mean_field_capacity"], rtol=0.3)
    assert (table.loc[table["layer"] == "linear6", "bound"] == -1).all()
