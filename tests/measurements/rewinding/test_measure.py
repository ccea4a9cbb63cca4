import shutil

import numpy as np
import pandas as pd
import pytest

from experiments import gradients, presets, rewinding
from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import Run
from memorize_jax.runs.train import train_run
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.storage.tables import GRADIENTS, METRICS, REWINDING, read_table

LAYERS = [f"linear{number}" for number in range(1, 7)]
ACCURACIES = [column for column in METRICS if column.endswith("accuracy")]


def table_of(workdir, name, columns):
    return read_table(Run(workdir).results / f"{name}.csv", columns, "")


@pytest.fixture
def copied(smoke_run, tmp_path):
    return shutil.copytree(smoke_run, tmp_path / "run")


def test_every_layer_and_set_is_rewound_to_every_epoch(smoke_run):
    table = table_of(smoke_run, "rewinding", REWINDING)
    sets = [*LAYERS, "linear5+linear6", "linear4+linear5+linear6"]
    rows = list(zip(table["layer"], table["rewind_epoch"], strict=True))
    assert rows == [(layer, epoch) for layer in sets for epoch in range(5)]


def test_a_layer_of_the_final_epoch_changes_nothing(smoke_run):
    table = table_of(smoke_run, "rewinding", REWINDING)
    metrics = pd.read_csv(Run(smoke_run).metrics)
    unchanged = table[table["rewind_epoch"] == 4]
    for column in (*ACCURACIES, "loss"):
        np.testing.assert_allclose(unchanged[column], metrics[column].iloc[-1], rtol=1e-6)


@pytest.mark.parametrize("into", ["final", "early"])
def test_all_layers_rewound_are_the_network_of_that_epoch(copied, into):
    rewinding.run(copied, presets.RewindingConfig(rewind_layers="all", rewind_epochs="0,2", rewind_into=into))
    table, metrics = table_of(copied, "rewinding", REWINDING), pd.read_csv(Run(copied).metrics)
    expected = metrics.iloc[[0, 2] if into == "final" else [4, 4]]
    for column in (*ACCURACIES, "loss"):
        np.testing.assert_allclose(table[column], expected[column], rtol=1e-6)


def test_rewinding_goes_on_where_it_was_interrupted(copied, monkeypatch):
    whole = (Run(copied).results / "rewinding.csv").read_bytes()
    (Run(copied).results / "rewinding.csv").unlink()
    read = EpochStore.load_layers
    seen = []

    def failing(self, epoch, names):
        seen.append((epoch, tuple(names)))
        if len(seen) == 12:
            raise KeyboardInterrupt
        return read(self, epoch, names)

    monkeypatch.setattr(EpochStore, "load_layers", failing)
    with pytest.raises(KeyboardInterrupt):
        rewinding.run(copied, presets.PRESETS["smoke"].rewinding)
    rewinding.run(copied, presets.PRESETS["smoke"].rewinding)
    assert (Run(copied).results / "rewinding.csv").read_bytes() == whole
    # Every point of the grid was read once, but for the one that was interrupted.
    assert len(seen) == 8 * 5 + 1


def test_the_ledger_has_a_row_for_every_epoch_layer_group_and_part(smoke_run):
    table = table_of(smoke_run, "gradients", GRADIENTS)
    main = table[table["form"] == "eq15"]
    keys = ["epoch", "layer", "group", "part"]
    assert not main.duplicated(keys).any()
    assert len(main) == 5 * 6 * 3 * 3
    assert main[keys[0]].unique().tolist() == [0, 1, 2, 3, 4]
    assert main["layer"].unique().tolist() == LAYERS
    assert (main["squared_norm"] > 0).all()
    centered = table[table["form"] == "eq16"]
    pd.testing.assert_frame_equal(
        centered[keys].reset_index(drop=True), main.loc[main["part"] != "full", keys].reset_index(drop=True)
    )


def test_early_in_training_dep_of_unpermuted_examples_leads(smoke_run):
    """Figure 5F."""
    table = table_of(smoke_run, "gradients", GRADIENTS)
    dep = table[(table["part"] == "dep") & (table["form"] == "eq15") & (table["epoch"] <= 2)]
    by_group = dep.pivot(index=["epoch", "layer"], columns="group", values="squared_norm")
    assert (by_group["unpermuted"] > 4 * by_group["permuted"]).all()


def test_a_damaged_network_is_one_sentence_that_says_what_mends_it(copied):
    shutil.rmtree(Run(copied).checkpoints / "epochs" / "2")
    for step, config in (
        (rewinding, presets.RewindingConfig(rewind_epochs="2")),
        (gradients, presets.GradientsConfig(gradient_epochs="2")),
    ):
        with pytest.raises(ValueError, match=r"no checkpoint of epoch 2 .*; the command that trained the run mends it"):
            step.run(copied, config)


@pytest.mark.slow
def test_a_residual_network_is_rewound_and_recalibrated(tmp_path):
    config = RunConfig(model="resnet18", width=2, init="torch", epochs=2, learning_rate=1e-3)
    train_run(tmp_path, config)
    metrics = pd.read_csv(Run(tmp_path).metrics)
    found = {}
    for bn in ("with_layer", "recalibrate"):
        rewinding.run(tmp_path, presets.RewindingConfig(rewind_layers="all,conv7", rewind_epochs="0,1,2", bn=bn))
        found[bn] = table_of(tmp_path, "rewinding", REWINDING).set_index(["layer", "rewind_epoch"])
    every = found["with_layer"].iloc[:3]
    np.testing.assert_allclose(every["loss"], metrics["loss"], rtol=1e-5)
    np.testing.assert_allclose(found["with_layer"].loc[("conv7", 2), "loss"], metrics["loss"].iloc[-1], rtol=1e-5)
    # Running statistics lag behind a network that moves: without the lag the loss is lower.
    assert found["recalibrate"].iloc[2]["loss"] < metrics["loss"].iloc[-1]
    gradients.run(tmp_path, presets.GradientsConfig(gradient_epochs="0"))
    assert np.isfinite(table_of(tmp_path, "gradients", GRADIENTS)["squared_norm"]).all()
