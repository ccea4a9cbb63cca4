"""Retraining, as measured on runs."""

import shutil

import numpy as np
import pytest

from memorize_jax.config import RunConfig
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.retraining import MEASUREMENT, RetrainingSettings
from memorize_jax.measurements.retraining.effects import retrained_layers
from memorize_jax.measurements.retraining.measure import is_shown
from memorize_jax.runs.run import open_run
from memorize_jax.runs.train import train_run

ACCURACIES = [f"{group}_accuracy" for group in ("train", "unpermuted", "permuted", "restored", "test")]


@pytest.fixture
def run(tiny_runs, tmp_path):
    return shutil.copytree(tiny_runs["trained"], tmp_path / "run")


def test_it_begins_with_the_rewound_network_and_ends_where_it_was_told_to(run):
    table = measure(MEASUREMENT, run, [RetrainingSettings(retrain_from_epochs="1,final", retrain_length=6)])
    reference, rows = table.iloc[0], table.iloc[1:]
    final = open_run(run).metrics.iloc[-1]
    assert (reference["layer"], reference["retrained_epochs"], reference["rewind_epoch"]) == ("none", 0, 3)
    # Put back to where it is, a layer changes nothing.
    at_once = rows[(rows["rewind_epoch"] == 3) & (rows["retrained_epochs"] == 0)]
    for row in (reference, *(row for _, row in at_once.iterrows())):
        np.testing.assert_allclose(row[ACCURACIES].astype(float), final[ACCURACIES].astype(float), rtol=1e-12)
    for _, own in rows.groupby(["layer", "rewind_epoch"]):
        assert own["retrained_epochs"].tolist() == [0, 1, 2, 4, 6]
    assert rows.drop_duplicates(["layer", "rewind_epoch"])["layer"].tolist() == ["linear1"] * 2 + ["linear2"] * 2


def test_it_ends_when_unpermuted_examples_are_fitted_and_no_later_than_the_run(run):
    table = measure(MEASUREMENT, run, [RetrainingSettings()])
    stop = open_run(run).config.stop_accuracy
    for _, own in table[table["layer"] != "none"].groupby("layer"):
        last = own["retrained_epochs"].max()
        reached = own["unpermuted_accuracy"].iloc[1:] > stop
        assert reached.iloc[-1] or last == 3
        assert not reached.iloc[:-1].any()


def test_what_is_kept_is_the_lead_of_assigned_labels(run):
    table = measure(MEASUREMENT, run, [RetrainingSettings(retrain_layers="each,all", retrain_length=1)])
    # This network has not memorized its labels: the other way round there is a lead.
    table = table.rename(columns={"permuted_accuracy": "restored_accuracy", "restored_accuracy": "permuted_accuracy"})
    final = table.iloc[0]["permuted_accuracy"] - table.iloc[0]["restored_accuracy"]
    assert final > 0
    found = retrained_layers(table)
    assert [one.layer for one in found] == ["linear1", "linear2"]
    for one in found:
        own = table[(table["layer"] == one.layer) & (table["retrained_epochs"] == 1)].iloc[0]
        assert one.kept == pytest.approx((own["permuted_accuracy"] - own["restored_accuracy"]) / final)


def test_of_a_network_that_memorized_nothing_nothing_is_kept(run):
    table = measure(MEASUREMENT, run, [RetrainingSettings(retrain_length=1)])
    for restored in (table["permuted_accuracy"], table["permuted_accuracy"] + 0.1):
        assert np.isnan([one.kept for one in retrained_layers(table.assign(restored_accuracy=restored))]).all()


def test_some_epochs_are_shown_on_a_logarithmic_scale():
    assert [number for number in range(1, 20) if is_shown(number)] == [1, 2, 4, 8, 16]


def test_without_unpermuted_examples_there_is_nothing_to_train_on():
    assert "all labels are permuted" in MEASUREMENT.why_not(RunConfig(permuted_fraction=1.0))


@pytest.mark.slow
def test_a_residual_network_is_retrained(tmp_path):
    small = {"num_train": 200, "batch_size": 100, "learning_rate": 1e-3}
    train_run(tmp_path, RunConfig(model="resnet18", width=2, init="torch", epochs=2, **small))
    table = measure(MEASUREMENT, tmp_path, [RetrainingSettings(retrain_layers="conv7,linear22", retrain_length=2)])
    assert np.isfinite(table[ACCURACIES].to_numpy(float)).all()
    losses = table[table["layer"] == "conv7"]["loss"]
    assert losses.iloc[-1] != losses.iloc[0]
