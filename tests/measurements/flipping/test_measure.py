"""Neuron flipping, as measured on runs, and what is counted of it."""

import shutil

import numpy as np
import pandas as pd
import pytest

from memorize_jax.config import RunConfig
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.flipping import MEASUREMENT, FlippingSettings, select_hidden
from memorize_jax.measurements.flipping.counts import least_median_flipped, median_flipped
from memorize_jax.measurements.flipping.measure import shares_by_layer
from memorize_jax.measurements.flipping.units import Units
from memorize_jax.runs.run import open_run
from memorize_jax.runs.train import train_run

SETTINGS = FlippingSettings(flip_examples=3, flip_batch=8, flip_most=4, flip_evaluated=10)
ROWS = ["any", "linear1"]


@pytest.fixture(scope="module")
def table(tiny_runs, tmp_path_factory):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path_factory.mktemp("flipping") / "run")
    return open_run(folder), measure(MEASUREMENT, folder, [SETTINGS])


def test_examples_are_memorized_ones_and_unpermuted_ones(table):
    run, rows = table
    labels = run.labels
    assert rows["layer"].unique().tolist() == ROWS
    for _, own in rows.groupby("layer"):
        assert own["example"].tolist() == rows["example"].iloc[: len(own)].tolist()
        assert own.groupby("is_permuted").size().max() <= 3
    wrong = labels.assigned != labels.true
    assert (wrong[rows["example"]] == rows["is_permuted"]).all()
    for row in rows.itertuples():
        units = row.units.split()
        assert len(units) == len(set(units)) == row.num_flipped
        assert row.is_flipped or row.num_flipped == 4
        assert all(unit.startswith("linear1:") for unit in units)
    # With few examples, these are all there are; training measured the same network.
    final = run.metrics.iloc[-1]
    assert abs(rows["unpermuted_accuracy_before"].iloc[0] - final["unpermuted_accuracy"]) < 0.35
    # One hidden layer is any layer.
    of_any, alone = (
        rows[rows["layer"] == layer].drop(columns=["layer", "layer_number"]) for layer in ("any", "linear1")
    )
    pd.testing.assert_frame_equal(of_any.reset_index(drop=True), alone.reset_index(drop=True))


def test_shares_count_every_example_that_flipped_alike():
    units = Units(("conv1", "conv2", "conv3"), ("conv1", "conv2", "conv3"), (2, 3, 3), ("conv1", "conv2", "conv2"))
    texts = ["conv1:0 conv3:1", "conv2:0 conv2:1 conv3:0 conv2:2", "conv1:1"]
    rows = pd.DataFrame({"seed": 0, "is_permuted": [True, True, False], "layer": "any", "units": texts})
    rows = pd.concat([rows, rows.assign(layer="conv1")]).assign(is_flipped=True)
    rows = pd.concat([rows, rows.iloc[:1].assign(is_flipped=False, units="conv1:1")], ignore_index=True)
    found = pd.DataFrame(shares_by_layer(rows, units, {"conv1": 1, "conv2": 2})).set_index(["is_permuted", "layer"])
    assert found["share"].tolist() == [0.25, 0.75, 1.0, 0.0]
    assert found["mean_flipped"].tolist() == [0.5, 2.5, 1.0, 0.0]
    assert found["share_of_units"].tolist() == [0.25, 0.75] * 2
    assert found["num_examples"].tolist() == [2, 2, 1, 1]


def test_examples_that_did_not_flip_are_beyond_all_that_did():
    rows = pd.DataFrame({"seed": 0, "layer": "any", "num_flipped": [1, 5, 9], "is_flipped": [True, True, False]})
    assert median_flipped(rows).tolist() == [5.0]
    assert np.isnan(median_flipped(rows.assign(is_flipped=[True, False, False])).iloc[0])


@pytest.mark.parametrize("num_flipped", range(7))
@pytest.mark.parametrize("count", [5, 6])
def test_a_median_beyond_the_limit_is_more_than_its_bound(count, num_flipped):
    """The bound is below the median whatever the examples take that did not flip, and the median where it is known."""
    limit, is_flipped = 9, np.arange(count) < num_flipped
    takes = np.where(is_flipped, np.arange(count) + 1, limit + 1 + np.arange(count))
    rows = pd.DataFrame({"seed": 0, "layer": "any", "num_flipped": np.minimum(takes, limit), "is_flipped": is_flipped})
    known, bound = median_flipped(rows).iloc[0], least_median_flipped(rows).iloc[0]
    assert bound < np.median(takes) if np.isnan(known) else bound == known == np.median(takes)
    assert np.isnan(known) == (num_flipped <= count // 2)


def test_layers_are_read_and_those_that_are_not_hidden_named():
    assert list(select_hidden("mlp", "each")) == [f"linear{number}" for number in range(1, 6)]
    assert select_hidden("mlp", "linear3, linear1") == {"linear1": 1, "linear3": 3}
    assert select_hidden("mlp", "none") == {}
    with pytest.raises(ValueError, match=r"flip_layers to be each, none or some of linear1, .*, got 'linear6'"):
        select_hidden("mlp", "linear6")


@pytest.mark.slow
def test_channels_of_a_residual_network_are_flipped(tmp_path):
    small = {"num_train": 200, "batch_size": 100, "learning_rate": 1e-3}
    train_run(tmp_path, RunConfig(model="resnet18", width=2, init="torch", epochs=2, **small))
    settings = FlippingSettings(flip_layers="conv7", flip_examples=2, flip_batch=4, flip_most=3, flip_evaluated=20)
    table = measure(MEASUREMENT, tmp_path, [settings])
    of_one = table[table["layer"] == "conv7"]["units"].str.split(":", expand=True)[0]
    assert set(of_one) <= {"conv7", "conv8"}
    assert set(table["num_units"]) == {8, 2 * (5 * 1 + 5 * 2 + 5 * 4 + 5 * 8)}
