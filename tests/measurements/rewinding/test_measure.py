"""Rewinding and the gradients' parts, as measured on the run of the smoke preset."""

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
