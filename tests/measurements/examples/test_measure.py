"""Examples of a run and the points of the spheres."""

import shutil

import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.figures.images import decode_image
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.examples import MEASUREMENT as EXAMPLES
from memorize_jax.measurements.examples.figures import FIGURES as FIGURES_OF_EXAMPLES
from memorize_jax.measurements.examples.measure import SHOWN
from memorize_jax.measurements.registry import open_study
from memorize_jax.measurements.spheres import MEASUREMENT as SPHERES
from memorize_jax.measurements.spheres.figures import FIGURES as FIGURES_OF_SPHERES
from memorize_jax.measurements.spheres.figures import threshold_accuracy
from memorize_jax.measurements.spheres.measure import AXES
from memorize_jax.runs.run import open_run


def test_examples_are_images_of_the_run_with_both_labels(tiny_runs, tmp_path):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path / "run")
    table, run = measure(EXAMPLES, folder), open_run(folder)
    assert table["group"].tolist() == ["unpermuted"] * SHOWN + ["permuted"] * SHOWN
    for row in table.itertuples():
        np.testing.assert_array_equal(decode_image(row), run.splits.train.images[row.example])
        assert (row.true, row.assigned) == (run.labels.true[row.example], run.labels.assigned[row.example])
        assert run.labels.is_permuted[row.example] == (row.group == "permuted")
    assert FIGURES_OF_SPHERES[0].obstacle(open_study(folder)) != ""


def test_spheres_are_told_apart_on_their_own_axis_alone(tiny_runs, tmp_path):
    folder = shutil.copytree(tiny_runs["spheres"], tmp_path / "run")
    table, train = measure(SPHERES, folder), data.load("spheres_small").train
    np.testing.assert_allclose(table[list(AXES)], train.images[table["example"], :5], rtol=1e-6)
    assert table["label"].value_counts().to_dict() == {0: 200, 1: 200}
    shares = [threshold_accuracy(table[axis].to_numpy(), table["label"].to_numpy()) for axis in AXES]
    assert 0.65 < shares[0] < 0.95
    assert max(abs(share - 0.5) for share in shares[1:]) < 0.1
    assert FIGURES_OF_EXAMPLES[0].obstacle(open_study(folder)) == "its examples are points, not images"
    assert FIGURES_OF_SPHERES[0].obstacle(open_study(folder)) == ""


def test_the_threshold_is_on_the_side_of_the_centers():
    labels = np.array([0, 0, 1, 1])
    assert threshold_accuracy(np.array([3.0, 1.0, -1.0, -2.0]), labels) == 1
    assert threshold_accuracy(np.array([3.0, -1.0, -1.0, -2.0]), labels) == 0.75


def test_each_says_which_data_it_is_for(tiny_runs):
    with pytest.raises(ValueError, match=r"cannot be measured: the examples of data set spheres_small are not images"):
        measure(EXAMPLES, tiny_runs["spheres"])
    with pytest.raises(ValueError, match=r"cannot be measured: its data set is .*:load, not spheres or spheres_small"):
        measure(SPHERES, tiny_runs["trained"])
