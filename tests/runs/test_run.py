"""A run, opened: everything that it is, read once and checked."""

import dataclasses
import shutil

import numpy as np
import pytest

import memorize_jax
from memorize_jax.runs.networks import DamagedNetworkError
from memorize_jax.runs.run import Run
from memorize_jax.storage.checkpoints import StoredEpochs
from tests.measurements import tiny


@pytest.fixture
def copied(smoke_run, tmp_path):
    return shutil.copytree(smoke_run, tmp_path / "run")


def test_an_opened_run_gives_all_that_it_is(smoke_run):
    run = memorize_jax.open_run(smoke_run)
    assert isinstance(run, Run)
    assert (run.config.dataset, run.config.width) == ("digits", 32)
    assert list(run.layers) == ["input", *(f"linear{number}" for number in range(1, 7))]
    assert run.stored_epochs == run.metrics["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert run.select_epochs("best,final") == sorted({run.best_epoch, 4})
    assert run.labels.is_permuted.mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(run.labels.true, run.splits.train.labels)
    assert {"geometry", "rewinding", "gradients", "decoding"} <= set(run.tables)
    assert "claims" not in run.tables
    assert run.provenance[0]["packages"]["jax"]
    assert repr(run) == f"Run('{smoke_run}': mlp on digits, seed 0)"
    assert "final epoch 4: test " in run.summary()
    assert "50 % of the labels permuted" in run.summary()


def test_a_network_is_read_once_and_runs(smoke_run, monkeypatch):
    read, load = [], StoredEpochs.load
    monkeypatch.setattr(StoredEpochs, "load", lambda self, epoch: read.append(epoch) or load(self, epoch))
    run = memorize_jax.open_run(smoke_run)
    assert run.network(4) is run.network(4)
    assert read == [4]
    shown = run.model().apply(run.network(4), np.zeros((2, 8, 8, 1), np.float32), train=False)
    assert shown.shape == (2, 10)
    assert set(run.network_layers(4, ["linear1"])["params"]) == {"linear1"}


def test_a_damaged_network_is_one_sentence_that_says_what_repairs_it(copied):
    shutil.rmtree(copied / "checkpoints" / "epochs" / "2")
    run = memorize_jax.open_run(copied)
    for read in (lambda: run.network(2), lambda: run.network_layers(2, ["linear1"])):
        with pytest.raises(DamagedNetworkError, match=r"no checkpoint of epoch 2 .*; the command that trained the run"):
            read()


def test_an_epoch_that_is_not_kept_is_not_to_be_repaired(tmp_path):
    folder = tiny.trained(tmp_path / "run", dataclasses.replace(tiny.CONFIG, keep="best,last"))
    run = memorize_jax.open_run(folder)
    for read in (lambda: run.network(1), lambda: run.network_layers(1, ["linear1"])):
        with pytest.raises(DamagedNetworkError, match=r"expected an epoch .*keeps \(keep=best,last\), got 1; best and"):
            read()


def test_looking_changes_nothing(copied):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    run = memorize_jax.open_run(copied)
    run.network(4), run.tables, run.summary(), run.splits
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


def test_what_does_not_belong_together_is_refused(copied, tmp_path):
    table = copied / "results" / "geometry.csv"
    table.write_text(table.read_text().replace("0", "1", 1))
    with pytest.raises(ValueError, match=r"geometry.csv was changed after it was measured.*experiments\.geometry"):
        memorize_jax.open_run(copied).table("geometry")
    with pytest.raises(FileNotFoundError, match=r"no table .*fewshot.csv"):
        memorize_jax.open_run(copied).table("fewshot")
    with pytest.raises(FileNotFoundError, match=r"no run in .*train one with"):
        memorize_jax.open_run(tmp_path / "nothing")
    shutil.copytree(copied, tmp_path / "ensemble" / "seed_0")
    with pytest.raises(FileNotFoundError, match=r"ensemble; give one of its seeds, e.g. .*/ensemble/seed_0, or open"):
        memorize_jax.open_run(tmp_path / "ensemble")
