"""Training in a folder that loses files, space or numbers, in this process."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest

from memorize_jax import interruption
from memorize_jax.runs import resume
from memorize_jax.runs import session as run_folder
from memorize_jax.runs import train as train_experiment
from memorize_jax.runs.folder import Run
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.storage.checkpoints import store as store_module
from memorize_jax.storage.tables import RESTORES, read_table
from memorize_jax.training import NotFiniteLossError, Trainer, rate_stretches
from memorize_jax.training import loop as training_loop
from tests.reliability.outcome import differences, outcome
from tests.training.test_loop import CONFIG, small_problem


@pytest.fixture(scope="module")
def problem():
    return small_problem()


def train_in(workdir, problem, **options):
    train_experiment.train_run(workdir, dataclasses.replace(CONFIG, **options), problem)
    return workdir


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, problem):
    """The folder of six epochs, with the training states of the last two; copy it, never change it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store_module, "STATE_SHARE", np.inf)
        return train_in(tmp_path_factory.mktemp("undisturbed"), problem)


def test_damaged_epochs_are_mended_and_nothing_else_changes(tmp_path, problem, undisturbed, capsys):
    workdir = shutil.copytree(undisturbed, tmp_path / "run")
    epochs = Run(workdir).checkpoints / "epochs"
    path = epochs / "2" / "params.linear3.kernel" / "0.0"
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    shutil.rmtree(epochs / "1")
    untouched = (epochs / "3" / "_CHECKPOINT_METADATA").read_bytes()
    (Run(workdir).checkpoints / "resume" / "6" / "step" / "0").write_bytes(b"1234")
    train_in(workdir, problem)
    assert differences(outcome(workdir), outcome(undisturbed)) == []
    assert (epochs / "3" / "_CHECKPOINT_METADATA").read_bytes() == untouched
    said = capsys.readouterr().err
    assert "the training state of epoch 6 is damaged: leaf step, file 0 has changed" in said
    assert "epoch 1 is missing" in said
    assert "epoch 2 is damaged: leaf params.linear3.kernel, file 0.0 has changed" in said


def test_a_termination_signal_finishes_the_epoch_and_stores_it(tmp_path, problem, undisturbed, monkeypatch):
    def signal_in_epoch_3(trainer, state, number, on_step):
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return run_epoch(trainer, state, number, on_step)

    run_epoch = Trainer.run_epoch
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "run_epoch", signal_in_epoch_3)
        with pytest.raises(interruption.Terminated):
            train_in(tmp_path / "run", problem)
    with EpochStore(Run(tmp_path / "run").checkpoints) as store:
        assert store.epochs() == [0, 1, 2, 3]
        assert (Run(tmp_path / "run").checkpoints / "resume" / "3" / "seal.json").is_file()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    train_in(tmp_path / "run", problem)
    assert differences(outcome(tmp_path / "run"), outcome(undisturbed)) == []


def test_without_time_for_the_epoch_training_stops_at_the_step(tmp_path, problem, monkeypatch):
    monkeypatch.setattr(interruption, "GRACE_SECONDS", -1.0)
    monkeypatch.setattr(run_folder, "write_metrics", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(interruption.Terminated):
        train_in(tmp_path, problem)
    with EpochStore(Run(tmp_path).checkpoints) as store:
        assert store.epochs() == [0]


def fail_once(monkeypatch, epoch, rate=None):
    """Makes the loss NaN in the last step of an epoch, as long as the learning rate is above `rate`."""

    def add(watch, loss):
        bad = watch._epoch == epoch and watch._learning_rate > (rate or 0) and len(watch._waiting) == 2
        plain(watch, np.float32(np.nan) if bad else loss)

    plain = training_loop.LossWatch.add
    monkeypatch.setattr(training_loop.LossWatch, "add", add)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_place(tmp_path, problem, monkeypatch):
    fail_once(monkeypatch, 4)
    message = r"the loss is nan at step 3 of epoch 4, learning rate 0\.003; the last sound epoch is 3; lower"
    with pytest.raises(NotFiniteLossError, match=message):
        train_in(tmp_path, problem)
    with EpochStore(Run(tmp_path).checkpoints) as store:
        assert store.epochs() == [0, 1, 2, 3]
    assert pd.read_csv(Run(tmp_path).metrics)["epoch"].tolist() == [0, 1, 2, 3]


def test_restore_halves_the_rate_from_the_failed_epoch_on(tmp_path, problem, undisturbed, monkeypatch):
    fail_once(monkeypatch, 4, rate=0.002)
    train_in(tmp_path / "run", problem, on_nan="restore")
    (restore,) = read_table(Run(tmp_path / "run").restores, RESTORES, "").to_dict("records")
    assert restore == {"epoch": 3, "failed_epoch": 4, "failed_step": 3, "learning_rate": 0.0015}
    losses, calm = (pd.read_csv(Run(folder).metrics)["loss"] for folder in (tmp_path / "run", undisturbed))
    assert losses[:4].tolist() == calm[:4].tolist()
    assert (losses[4:] > calm[4:]).all()


@pytest.mark.slow
def test_mended_epochs_learn_at_the_rates_they_were_trained_with(tmp_path, problem, monkeypatch):
    fail_once(monkeypatch, 4, rate=0.002)
    train_in(tmp_path / "run", problem, on_nan="restore")
    found = outcome(tmp_path / "run")
    shutil.rmtree(Run(tmp_path / "run").checkpoints / "epochs" / "5")
    train_in(tmp_path / "run", problem, on_nan="restore")
    assert differences(outcome(tmp_path / "run"), found) == []


def test_a_rate_that_was_lowered_holds_until_it_is_lowered_again():
    restores = [{"epoch": 5, "learning_rate": 0.5}, {"epoch": 3, "learning_rate": 0.25}]
    assert rate_stretches([], 1.0, 4) == [(1.0, 4)]
    assert rate_stretches(restores[:1], 1.0, 7) == [(1.0, 5), (0.5, 7)]
    assert rate_stretches(restores, 1.0, 7) == [(1.0, 3), (0.25, 7)]


def test_a_run_that_vanishes_is_not_half_made_again(tmp_path, problem, monkeypatch):
    def vanish(workdir, rows, identity):
        write_metrics(workdir, rows, identity)
        if len(rows) == 3:
            # Not in the middle of a write.
            stored = tmp_path / "run" / "checkpoints" / "epochs" / "2"
            while not stored.exists() or list(stored.parent.parent.glob("*/*.new*")):
                time.sleep(0.01)
            (tmp_path / "run").rename(tmp_path / "elsewhere")

    write_metrics = run_folder.write_metrics
    monkeypatch.setattr(run_folder, "write_metrics", vanish)
    with pytest.raises(OSError, match=r"is gone|could not be stored"):
        train_in(tmp_path / "run", problem)
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_metrics_that_are_no_table_are_named(tmp_path, problem, undisturbed):
    workdir = shutil.copytree(undisturbed, tmp_path / "run")
    lines = Run(workdir).metrics.read_text().splitlines()
    for damaged in (lines[:2] + lines[3:], lines[:2] + lines[1:], ["\0"]):
        Run(workdir).metrics.write_text("\n".join(damaged) + "\n")
        with pytest.raises(ValueError, match=r"metrics\.csv.*(is damaged|expected columns)"):
            train_in(workdir, problem)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, where the user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_loses_nothing(small_disk, problem, undisturbed, monkeypatch):
    def fill_up(workdir, rows, identity):
        if len(rows) == 3:
            with open(small_disk / "filler", "wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(small_disk).free)
        write_metrics(workdir, rows, identity)

    write_metrics = run_folder.write_metrics
    with monkeypatch.context() as patched:
        patched.setattr(run_folder, "write_metrics", fill_up)
        with pytest.raises(OSError, match="No space left on device") as error:
            train_in(small_disk / "run", problem)
    assert error.value.errno == 28
    assert json.loads(Run(small_disk / "run").config.read_text())
    (small_disk / "filler").unlink()
    train_in(small_disk / "run", problem)
    assert differences(outcome(small_disk / "run"), outcome(undisturbed)) == []


def test_a_disk_that_can_only_be_read_is_refused_and_left_as_it_is(small_disk, problem, undisturbed):
    workdir = small_disk / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_folder, "write_metrics", fails_after(3, run_folder.write_metrics))
        with pytest.raises(OSError, match="gone"):
            train_in(workdir, problem)
    before = outcome(workdir)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OSError, match="Read-only file system"):
        train_in(workdir, problem)
    assert differences(outcome(workdir), before) == []
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    train_in(workdir, problem)
    assert differences(outcome(workdir), outcome(undisturbed)) == []


def fails_after(most_rows, write):
    def write_or_fail(workdir, rows, identity):
        if len(rows) > most_rows:
            raise OSError("gone")
        write(workdir, rows, identity)

    return write_or_fail


def test_a_finished_run_is_not_trained_again(tmp_path, problem, undisturbed, monkeypatch):
    workdir = shutil.copytree(undisturbed, tmp_path / "run")
    monkeypatch.setattr(resume, "train", None)
    monkeypatch.setattr(train_experiment, "train", None)
    train_in(workdir, problem)
    assert differences(outcome(workdir), outcome(undisturbed)) == []
