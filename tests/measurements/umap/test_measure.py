"""The UMAP step on the run of the smoke preset; umap-learn itself only where it is installed."""

import dataclasses
import importlib
import shutil

import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.umap import MEASUREMENT, UmapSettings
from memorize_jax.measurements.umap.measure import embedded_layers
from memorize_jax.runs.run import open_run

SETTINGS = [UmapSettings(umap_epochs="0,2,final", umap_examples=6)]


def test_every_layer_epoch_and_group_has_its_examples(smoke_run, tmp_path, monkeypatch):
    module, seen = importlib.import_module(f"{MEASUREMENT.room}.measure"), []
    # The first two features stand for the places.
    monkeypatch.setattr(module, "embed", lambda points, **_: seen.append(points) or points[:, :2])
    monkeypatch.setattr(module, "umap_version", lambda: "0")
    folder = shutil.copytree(smoke_run, tmp_path / "run")
    table = measure(dataclasses.replace(MEASUREMENT, package=None), folder, SETTINGS)
    labels = open_run(folder).labels
    assert table.groupby(["epoch", "layer", "group"]).size().unique().tolist() == [60]
    assert table["layer"].unique().tolist() == ["linear3", "linear5"]
    assert dict(zip(table["epoch"], table["stage"], strict=True)) == {0: "init", 2: "", 4: "best+final"}
    of_train = table[table["group"] != "test"]
    np.testing.assert_array_equal(of_train["true"], labels.true[of_train["example"]])
    np.testing.assert_array_equal(of_train["assigned"], labels.assigned[of_train["example"]])
    for group, label in (("permuted", "assigned"), ("restored", "true"), ("test", "true")):
        own = table[(table["epoch"] == 0) & (table["layer"] == "linear5") & (table["group"] == group)]
        assert (own[label].value_counts() == 6).all()
    # An example has one place, whatever group it stands in.
    assert (of_train.groupby(["epoch", "layer", "example"])[["x", "y"]].nunique() == 1).all(axis=None)
    assert len(seen[0]) < 4 * 60


def test_the_layers_are_the_papers():
    names = {model: [layer.name for layer in embedded_layers(model)] for model in ("vgg16", "mlp", "resnet18")}
    assert names["vgg16"] == ["conv15", "linear20"]
    assert names["mlp"] == ["linear3", "linear5"]
    assert names["resnet18"][0].startswith("conv")


@pytest.mark.slow
def test_umap_learn_draws_a_run(smoke_run, tmp_path):
    pytest.importorskip("umap")
    folder = shutil.copytree(smoke_run, tmp_path / "run")
    first, again = (measure(MEASUREMENT, folder, SETTINGS) for _ in range(2))
    assert np.isfinite(first[["x", "y"]]).all(axis=None)
    pd.testing.assert_frame_equal(first, again)
