"""Dimension columns of the table: participation ratios of every layer and group; two nearest neighbors on request."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from memorize_jax.activations import flat_reader, run_in_batches
from memorize_jax.analysis.examples import choose_examples
from memorize_jax.commands.geometry import measure_points
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.geometry import MEASUREMENT
from memorize_jax.measurements.geometry.two_nn import two_nn_dimension
from memorize_jax.runs.run import open_run
from memorize_jax.storage.tables import DIRECTIONS
from tests.measurements import tiny

SETTINGS = dataclasses.replace(tiny.PRESET.of("geometry"), geometry_epochs="final", examples_per_class=4)


def ratio(points):
    values = np.linalg.eigvalsh(np.cov(points.T))
    return values.sum() ** 2 / (values**2).sum()


def test_the_columns_are_of_the_points_of_the_manifolds(tiny_runs, tmp_path):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path / "run")
    table = measure(MEASUREMENT, folder, [SETTINGS])
    run = open_run(folder)
    chosen = choose_examples(run.splits, run.labels, SETTINGS, seed=0)["permuted"]
    names = tuple(run.layers)
    read = flat_reader(run.model(), run.statistics, names[1:])
    shown = run_in_batches(read, run.network(3), run.splits.train.images[chosen.ravel()], names, "float64")
    rows = table[table["group"] == "permuted"].set_index("layer")
    for name, points in shown.items():
        assert rows.loc[name, "participation_ratio"] == pytest.approx(ratio(points), rel=1e-4)
        classes = [ratio(own) for own in points.reshape(*chosen.shape, -1)]
        assert rows.loc[name, "class_participation_ratio"] == pytest.approx(np.mean(classes), rel=1e-4)
    assert (rows["participation_ratio_corrected"] > 0).all()
    assert rows["two_nn_dimension"].isna().all()


def test_activations_of_any_network_have_them_but_for_two_neighbors(tmp_path):
    points = np.random.default_rng(0).normal(size=(30, 4))
    np.savez(tmp_path / "own.npz", labels=np.arange(30) % 3, layer=points)
    settings = dataclasses.replace(SETTINGS, examples_per_class=None)
    (row,) = pd.read_csv(measure_points(tmp_path / "own.npz", tmp_path / "out", settings, seed=0)).to_dict("records")
    assert row["participation_ratio"] == pytest.approx(ratio(points), rel=1e-4)
    assert not np.isnan([row[name] for name in DIRECTIONS[:-1]]).any()
    with pytest.raises(ValueError, match="expected no two_nn with --points, got it: scikit-dimension takes arrays"):
        measure_points(tmp_path / "own.npz", tmp_path, dataclasses.replace(settings, two_nn=True), seed=0)


def test_two_neighbors_tell_the_dimension_of_a_curved_surface(tiny_runs, tmp_path):
    pytest.importorskip("skdim")
    rng = np.random.default_rng(0)
    plane = rng.uniform(size=(800, 2))
    curved = np.column_stack([plane, np.sin(3 * plane), np.ones(800)])
    assert two_nn_dimension(curved) == pytest.approx(2, abs=0.25)
    assert two_nn_dimension(1e4 + curved) == pytest.approx(two_nn_dimension(curved), rel=1e-4)
    # Points of which all or all but one coincide have no ratio.
    assert np.isnan([two_nn_dimension(np.ones((9, 3))), two_nn_dimension(np.eye(9)[:, :1] * np.ones((1, 3)))]).all()
    assert np.isnan(two_nn_dimension(np.where(curved > 1, np.nan, curved) * np.nan))
    folder = shutil.copytree(tiny_runs["trained"], tmp_path / "run")
    table = measure(MEASUREMENT, folder, [dataclasses.replace(SETTINGS, two_nn=True)])
    assert (table["two_nn_dimension"] > 0).all()


def test_two_neighbors_count_equal_points_once_and_see_nothing_on_a_grid():
    pytest.importorskip("skdim")
    points = np.random.default_rng(0).normal(size=(300, 3))
    assert two_nn_dimension(np.repeat(points, 2, axis=0)) == two_nn_dimension(points)
    assert np.isnan(two_nn_dimension(np.stack(np.meshgrid(*[np.arange(6)] * 3), axis=-1).reshape(-1, 3)))
