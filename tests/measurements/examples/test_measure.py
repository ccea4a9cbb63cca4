"""Examples of a run and the points of the spheres."""

import dataclasses
import shutil
from xml.etree import ElementTree

import jax
import numpy as np
import pytest
from memorize_jax.figures.catalogue import FIGURES

from experiments import examples, spheres
from memorize_jax import data
from memorize_jax.config import RunConfig
from memorize_jax.measurements.examples.figures import decode_pixels, draw_examples
from memorize_jax.measurements.spheres.figures import draw_spheres, threshold_accuracy
from memorize_jax.runs.folder import Run
from memorize_jax.runs.labels import read_labels, write_labels
from memorize_jax.runs.noted import write_config
from memorize_jax.storage.tables import EXAMPLES, METRICS, SPHERES, read_table, write_table
from memorize_jax.studies.study import read_study


def untrained_run(workdir, config):
    """A run folder with labels and made-up metrics."""
    run, labels = Run(workdir), data.load(config.dataset).train.labels
    write_config(run, config)
    permuted = data.permute_labels(
        labels, config.permuted_fraction, key=jax.random.key(0), num_classes=labels.max() + 1
    )
    write_labels(run, permuted, config)
    row = dict.fromkeys(METRICS, 0.5)
    write_table(run.metrics, [row | {"epoch": epoch} for epoch in range(3)], METRICS)
    return workdir


def is_svg(path):
    return ElementTree.parse(path).getroot().tag.endswith("svg")


def test_examples_are_images_of_the_run_with_both_labels(smoke_run, tmp_path):
    workdir = shutil.copytree(smoke_run, tmp_path / "run")
    examples.run(workdir)
    table = read_table(Run(workdir).results / "examples.csv", EXAMPLES, "")
    labels, images = read_labels(Run(workdir)), data.load("digits").train.images
    assert table["group"].tolist() == ["unpermuted"] * examples.SHOWN + ["permuted"] * examples.SHOWN
    for row in table.itertuples():
        np.testing.assert_array_equal(decode_pixels(row), images[row.example])
        assert (row.true, row.assigned) == (labels.true[row.example], labels.assigned[row.example])
        assert labels.is_permuted[row.example] == (row.group == "permuted")
    assert is_svg(draw_examples(read_study(workdir), tmp_path / "fig1a.svg"))


def test_a_run_without_permuted_labels_has_unpermuted_examples_only(tmp_path):
    workdir = untrained_run(tmp_path, RunConfig(permuted_fraction=0.0))
    examples.run(workdir)
    study = read_study(workdir)
    assert set(study.tables["examples"]["group"]) == {"unpermuted"}
    assert is_svg(draw_examples(study, tmp_path / "fig1a.svg"))


def test_spheres_are_told_apart_on_their_own_axis_alone(tmp_path):
    workdir = untrained_run(tmp_path, RunConfig(dataset="spheres_small"))
    spheres.run(workdir)
    table = read_table(Run(workdir).results / "spheres.csv", SPHERES, "")
    train = data.load("spheres_small").train
    np.testing.assert_allclose(table[list(spheres.AXES)], train.images[table["example"], :5], rtol=1e-6)
    assert table["label"].value_counts().to_dict() == {0: 200, 1: 200}
    shares = [threshold_accuracy(table[axis], table["label"]) for axis in spheres.AXES]
    assert 0.65 < shares[0] < 0.95
    assert max(abs(share - 0.5) for share in shares[1:]) < 0.1
    study = read_study(workdir)
    assert is_svg(draw_spheres(study, tmp_path / "figa3.svg"))
    assert FIGURES["fig1a"].obstacle(study) == "its examples are points, not images"
    assert FIGURES["figa3"].obstacle(study) == ""


def test_the_threshold_is_on_the_side_of_the_centers():
    assert threshold_accuracy([3.0, 1.0, -1.0, -2.0], [0, 0, 1, 1]) == 1
    assert threshold_accuracy([3.0, -1.0, -1.0, -2.0], [0, 0, 1, 1]) == 0.75


def test_each_says_which_data_it_is_for(tmp_path):
    run = untrained_run(tmp_path, RunConfig(dataset="spheres_small"))
    with pytest.raises(
        ValueError, match=r"no examples to show of .*: the examples of data set spheres_small are not images"
    ):
        examples.run(run)
    write_config(Run(run), dataclasses.replace(RunConfig(), dataset="digits"))
    with pytest.raises(
        ValueError, match=r"no spheres to show of .*: its data set is digits, not spheres or spheres_small"
    ):
        spheres.run(run)
    assert FIGURES["figa3"].obstacle(read_study(run)) == "its data are digits, not the synthetic spheres"
