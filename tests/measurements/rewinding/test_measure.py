"""Rewinding and the gradients' parts, as measured on the run of the smoke preset."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from memorize_jax.config import RunConfig
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.gradients import MEASUREMENT as GRADIENTS
from memorize_jax.measurements.gradients import GradientsSettings
from memorize_jax.measurements.rewinding import MEASUREMENT as REWINDING
from memorize_jax.measurements.rewinding import RewindingSettings
from memorize_jax.runs.run import open_run
from memorize_jax.runs.train import train_run
from memorize_jax.storage.tables import METRICS
from tests.measurements import tiny
from tests.measurements.rewinding import sorted_classes

LAYERS = [f"linear{number}" for number in range(1, 7)]
MEASURES = ["loss", *(column for column in METRICS if column.endswith("accuracy"))]


def test_every_layer_and_set_is_rewound_to_every_epoch_and_the_final_changes_nothing(smoke_run):
    run = open_run(smoke_run)
    table = run.table("rewinding")
    sets = [*LAYERS, "linear5+linear6", "linear4+linear5+linear6"]
    rows = list(zip(table["layer"], table["rewind_epoch"], strict=True))
    assert rows == [(layer, epoch) for layer in sets for epoch in range(5)]
    unchanged = table[table["rewind_epoch"] == 4]
    for column in MEASURES:
        np.testing.assert_allclose(unchanged[column], run.metrics[column].iloc[-1], rtol=1e-6)


@pytest.mark.parametrize("into", ["final", "early"])
def test_all_layers_rewound_are_the_network_of_that_epoch(tiny_runs, tmp_path, into):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path / "run")
    settings = RewindingSettings(rewind_layers="all", rewind_epochs="0,2", rewind_into=into)
    table, metrics = measure(REWINDING, folder, [settings]), open_run(folder).metrics
    expected = metrics.iloc[[0, 2] if into == "final" else [3, 3]]
    for column in MEASURES:
        np.testing.assert_allclose(table[column], expected[column], rtol=1e-6)
    assert set(table["num_test"]) == {len(open_run(folder).splits.test.labels)}


@pytest.fixture
def pair(tiny_runs, tmp_path):
    """A run, and its twin without permuted labels."""
    return [shutil.copytree(tiny_runs[of], tmp_path / of) for of in ("trained", "unpermuted")]


def test_all_layers_of_another_run_are_its_network_and_the_reverse(pair):
    own, twin = pair
    settings = RewindingSettings(rewind_layers="windows", rewind_epochs="0,final", rewind_into="both", source=str(twin))
    table = measure(REWINDING, own, [settings])
    other = table[table["source"] == str(twin)]
    names = ["linear1", "linear2", "linear1+linear2"]
    assert list(dict.fromkeys(zip(table["source"], table["into"], table["layer"], strict=True))) == [
        (source, into, name) for source in ("self", str(twin)) for into in ("final", "early") for name in names
    ]
    whole = other[other["num_layers"] == 2].set_index(["into", "rewind_epoch"])
    run, clean = open_run(own), open_run(twin)
    final = run.metrics.iloc[-1]
    for epoch in (0, clean.final_epoch):
        np.testing.assert_allclose(whole.loc[("early", epoch), MEASURES].astype(float), final[MEASURES], rtol=1e-6)
        # Labels of permuted examples are those of this run, which the twin never saw.
        found, known = whole.loc[("final", epoch)], clean.metrics.set_index("epoch").loc[epoch]
        assert found["test_accuracy"] == pytest.approx(known["test_accuracy"])
        shares = [np.mean(run.labels.is_permuted == kind) for kind in (False, True)]
        by_true = shares[0] * found["unpermuted_accuracy"] + shares[1] * found["restored_accuracy"]
        assert by_true == pytest.approx(known["train_accuracy"])
    # Two layers: one of the twin's in this network is the other of this one's in the twin.
    single = other[other["num_layers"] == 1].set_index(["into", "layer", "rewind_epoch"])
    for first, second in (("linear1", "linear2"), ("linear2", "linear1")):
        one, same = (single.loc[(*key, 3), MEASURES].astype(float) for key in (("final", first), ("early", second)))
        np.testing.assert_allclose(one, same, rtol=1e-6)


def test_another_run_changes_no_row_of_the_runs_own_and_a_copy_of_itself_nothing(pair):
    own, twin = pair
    alone = measure(REWINDING, own, [RewindingSettings()])
    shutil.rmtree(twin)
    shutil.copytree(own, twin)
    table = measure(REWINDING, own, [RewindingSettings(source=str(twin))])
    pd.testing.assert_frame_equal(table[table["source"] == "self"], alone)
    copied = table[table["source"] != "self"].reset_index(drop=True)
    pd.testing.assert_frame_equal(copied.assign(source="self"), alone)
    assert alone["source"].unique().tolist() == ["self"]


def test_a_run_whose_layers_do_not_fit_is_refused(pair, tmp_path):
    narrow = tiny.trained(tmp_path / "narrow", dataclasses.replace(tiny.CONFIG, width=4))
    expected = r"expected source to hold a run of .* of width 6, scaling channels, got .* of width 4, .* in .*narrow"
    with pytest.raises(ValueError, match=expected):
        measure(REWINDING, pair[0], [RewindingSettings(source=str(narrow))])


def test_the_parts_have_a_row_for_every_epoch_layer_and_group(smoke_run):
    table = open_run(smoke_run).table("gradients")
    main, centered = (table[table["form"] == form].reset_index(drop=True) for form in ("eq15", "eq16"))
    keys = ["epoch", "layer", "group", "part"]
    assert not main.duplicated(keys).any()
    assert len(main) == 5 * 6 * 3 * 3
    assert main["epoch"].unique().tolist() == [0, 1, 2, 3, 4]
    assert main["layer"].unique().tolist() == LAYERS
    assert (main["squared_norm"] > 0).all()
    pd.testing.assert_frame_equal(centered[keys], main.loc[main["part"] != "full", keys].reset_index(drop=True))
    # Figure 5F: early in training dep of unpermuted examples leads.
    dep = main[(main["part"] == "dep") & (main["epoch"] <= 2)]
    by_group = dep.pivot(index=["epoch", "layer"], columns="group", values="squared_norm")
    assert (by_group["unpermuted"] > 4 * by_group["permuted"]).all()


def test_recalibration_of_data_that_are_sorted_by_class_finds_the_statistics_of_training(tmp_path):
    train_run(tmp_path, sorted_classes.CONFIG)
    rows = {}
    for bn in ("with_layer", "recalibrate"):
        settings = RewindingSettings(rewind_layers="linear2", rewind_epochs="final", bn=bn)
        rows[bn] = measure(REWINDING, tmp_path, [settings]).iloc[0]
    # Nothing is moved: in batches of one class each, the network would see none of what tells classes apart.
    assert rows["with_layer"]["train_accuracy"] == rows["recalibrate"]["train_accuracy"] == 1
    assert rows["recalibrate"]["test_accuracy"] == rows["with_layer"]["test_accuracy"]
    assert rows["recalibrate"]["loss"] == pytest.approx(rows["with_layer"]["loss"], abs=0.05)


@pytest.mark.slow
def test_a_residual_network_is_rewound_and_recalibrated(tmp_path):
    train_run(tmp_path, RunConfig(model="resnet18", width=2, init="torch", epochs=2, learning_rate=1e-3))
    loss, found = open_run(tmp_path).metrics["loss"], {}
    for bn in ("with_layer", "recalibrate"):
        settings = RewindingSettings(rewind_layers="all,conv7", rewind_epochs="0,1,2", bn=bn)
        found[bn] = measure(REWINDING, tmp_path, [settings]).set_index(["layer", "rewind_epoch"])
    np.testing.assert_allclose(found["with_layer"]["loss"].iloc[:3], loss, rtol=1e-5)
    np.testing.assert_allclose(found["with_layer"].loc[("conv7", 2), "loss"], loss.iloc[-1], rtol=1e-5)
    # Running statistics lag behind a network that moves: without the lag the loss is lower.
    assert found["recalibrate"].iloc[2]["loss"] < loss.iloc[-1]
    table = measure(GRADIENTS, tmp_path, [GradientsSettings(gradient_epochs="0")])
    assert np.isfinite(table["squared_norm"]).all()
