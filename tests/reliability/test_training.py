"""Training in a folder that loses files, space, time or numbers, in this process."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import jax
import numpy as np
import pandas as pd
import pytest

from memorize_jax import interruption
from memorize_jax.epochs import kept_epochs
from memorize_jax.runs import metrics
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.resume import rate_stretches
from memorize_jax.storage.checkpoints import EpochStore, store
from memorize_jax.storage.tables import RESTORES, read_table
from memorize_jax.training import NotFiniteLossError, Trainer, loop
from tests.reliability.begun import stored_in, train_in
from tests.reliability.outcome import differences, outcome
from tests.training.test_loop import CONFIG, changed, trained


@contextlib.contextmanager
def writing(before=lambda rows: None, after=lambda rows: None):
    """Has something happen before or after metrics.csv is written, after every epoch."""

    def write(workdir, rows, identity):
        before(rows)
        write_metrics(workdir, rows, identity)
        after(rows)

    write_metrics = metrics.write_metrics
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(metrics, "write_metrics", write)
        patched.setattr(metrics, "WRITING_SHARE", np.inf)
        yield


def stop_at(number, error=KeyboardInterrupt):
    def stop(rows):
        if len(rows) == number:
            raise error

    return stop


def test_the_store_holds_the_networks_training_had_and_a_finished_run_is_left_as_it_is(copy, undisturbed, monkeypatch):
    with EpochStore(copy.checkpoints) as stored:
        for epoch in trained(CONFIG)[0]:
            jax.tree.map(np.testing.assert_array_equal, stored.load(epoch.number)["params"], epoch.state.params)
    monkeypatch.setattr(loop, "Trainer", None)
    train_in(copy.workdir)
    assert copy.metrics.read_bytes() == RunFolder(undisturbed).metrics.read_bytes()
    assert differences(outcome(copy.workdir), outcome(undisturbed)) == []


@pytest.mark.parametrize(
    ("when", "state_share"), [("at an earlier end", 1), ("after", np.inf), ("before", np.inf), ("after", 1e-9)]
)
def test_training_that_is_resumed_equals_undisturbed_training(tmp_path, monkeypatch, undisturbed, when, state_share):
    """Stopped before or after metrics.csv was written, with a training state of every epoch or of the first alone."""
    if when == "at an earlier end":
        train_in(tmp_path, epochs=3)
    else:
        monkeypatch.setattr(store, "STATE_SHARE", state_share)
        with writing(**{when: stop_at(5)}), pytest.raises(KeyboardInterrupt):
            train_in(tmp_path)
        monkeypatch.undo()
    assert differences(outcome(train_in(tmp_path).workdir), outcome(undisturbed)) == []


@pytest.mark.parametrize("number", [0, 3])
def test_a_kill_between_note_and_table_after_a_resume_leaves_rows_that_fit(copy, monkeypatch, number):
    """The epochs that are done again take other times than the rows that are still there say."""
    identity, rows = metrics.read_noted(copy).identity, metrics.stored_rows(copy)
    # Read and written again they have the same digits.
    assert metrics.table_text(rows, metrics.METRICS) == copy.metrics.read_text()
    metrics.forget_rows(copy, rows[:number], identity)

    def kill(path, text):
        raise KeyboardInterrupt

    monkeypatch.setattr(metrics, "write_text", kill)
    again = [{**row, "seconds": 9.0} for row in rows[number:]]
    with pytest.raises(KeyboardInterrupt):
        metrics.write_metrics(copy.workdir, [*rows[:number], *again], identity)
    assert metrics.stored_rows(copy) == rows[:number]


def test_what_training_has_not_written_yet_is_written_when_it_is_stopped(tmp_path, monkeypatch, undisturbed):
    def stop_in_epoch_5(trainer, state, number, on_step):
        if number == 5:
            # As after a kill: the state of the beginning, and no later epoch.
            assert stored_in(tmp_path) == [0]
            assert len(pd.read_csv(run.metrics)) == 1
            raise KeyboardInterrupt
        return run_epoch(trainer, state, number, on_step)

    run, run_epoch = RunFolder(tmp_path), Trainer.run_epoch
    for name, part in (("STATE_SHARE", store), ("WRITING_SHARE", metrics)):
        monkeypatch.setattr(part, name, 1e-9)
    monkeypatch.setattr(Trainer, "run_epoch", stop_in_epoch_5)
    with pytest.raises(KeyboardInterrupt):
        train_in(tmp_path, keep="best,last")
    assert stored_in(tmp_path) == sorted(kept_epochs("best,last", pd.read_csv(run.metrics)["test_accuracy"]).full)
    assert len(pd.read_csv(run.metrics)) == 5
    monkeypatch.setattr(Trainer, "run_epoch", run_epoch)
    found, expected = outcome(train_in(tmp_path, keep="best,last").workdir), outcome(undisturbed)
    assert stored_in(tmp_path) == sorted(kept_epochs("best,last", pd.read_csv(run.metrics)["test_accuracy"]).full)
    assert {"metrics", "labels"} < found.keys() < expected.keys()
    assert found == {name: expected[name] for name in found}


def test_without_any_training_state_training_starts_again(copy, undisturbed, capsys):
    shutil.rmtree(copy.checkpoints / "resume")
    train_in(copy.workdir)
    assert differences(outcome(copy.workdir), outcome(undisturbed)) == []
    assert "training starts again, over 7 epochs" in capsys.readouterr().err


def test_a_termination_signal_finishes_the_epoch_and_stores_it(tmp_path, undisturbed, monkeypatch):
    def signal_in_epoch_3(trainer, state, number, on_step):
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return run_epoch(trainer, state, number, on_step)

    run_epoch = Trainer.run_epoch
    monkeypatch.setattr(Trainer, "run_epoch", signal_in_epoch_3)
    with pytest.raises(interruption.Terminated):
        train_in(tmp_path)
    monkeypatch.undo()
    assert stored_in(tmp_path) == [0, 1, 2, 3]
    assert (RunFolder(tmp_path).checkpoints / "resume" / "3" / "seal.json").is_file()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert differences(outcome(train_in(tmp_path).workdir), outcome(undisturbed)) == []


def test_without_time_for_the_epoch_training_stops_at_the_step(tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "GRACE_SECONDS", -1.0)
    monkeypatch.setattr(metrics, "write_metrics", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(interruption.Terminated):
        train_in(tmp_path)
    assert stored_in(tmp_path) == [0]


# --- a loss that is NaN


def fail_once(monkeypatch, epoch, rate=0.0):
    """Makes the loss NaN in the last step of an epoch, as long as the learning rate is above `rate`."""

    def add(watch, loss):
        bad = watch._epoch == epoch and watch._learning_rate > rate and len(watch._waiting) == 2
        plain(watch, jax.numpy.float32(np.nan) if bad else loss)

    plain = loop.LossWatch.add
    monkeypatch.setattr(loop.LossWatch, "add", add)


def test_a_loss_that_is_nan_stops_the_run_and_names_the_place(tmp_path, monkeypatch):
    fail_once(monkeypatch, 4)
    message = r"the loss is nan at step 3 of epoch 4, learning rate 0\.003; the last sound epoch is 3; lower"
    with pytest.raises(NotFiniteLossError, match=message):
        train_in(tmp_path)
    assert stored_in(tmp_path) == pd.read_csv(tmp_path / "metrics.csv")["epoch"].tolist() == [0, 1, 2, 3]


def test_restore_halves_the_rate_from_the_failed_epoch_on_and_repair_respects_it(tmp_path, undisturbed, monkeypatch):
    fail_once(monkeypatch, 4, rate=0.002)
    run = train_in(tmp_path / "run", on_nan="restore")
    (restore,) = read_table(run.restores, RESTORES, "").to_dict("records")
    assert restore == {"epoch": 3, "failed_epoch": 4, "failed_step": 3, "learning_rate": 0.0015}
    losses, calm = (pd.read_csv(folder / "metrics.csv")["loss"] for folder in (run.workdir, undisturbed))
    assert losses[:4].tolist() == calm[:4].tolist()
    assert (losses[4:] > calm[4:]).all()
    found = outcome(run.workdir)
    shutil.rmtree(run.checkpoints / "epochs" / "5")
    train_in(run.workdir, on_nan="restore")
    assert differences(outcome(run.workdir), found) == []


def test_a_rate_that_was_lowered_holds_until_it_is_lowered_again():
    restores = [{"epoch": 5, "learning_rate": 0.5}, {"epoch": 3, "learning_rate": 0.25}]
    for given, last, expected in (
        ([], 4, [(1.0, 4)]),
        (restores[:1], 7, [(1.0, 5), (0.5, 7)]),
        (restores, 7, [(1.0, 3), (0.25, 7)]),
    ):
        found = rate_stretches(changed(learning_rate=1.0, epochs=last), given)
        assert [(stretch.learning_rate, stretch.epochs) for stretch in found] == expected


# --- folders and disks


def test_a_run_that_vanishes_is_not_half_made_again(tmp_path):
    def vanish(rows):
        if len(rows) == 3:
            # Not in the middle of a write.
            stored = tmp_path / "run" / "checkpoints" / "epochs" / "2"
            while not stored.exists() or list(stored.parent.parent.glob("*/*.new*")):
                time.sleep(0.01)
            (tmp_path / "run").rename(tmp_path / "elsewhere")

    with writing(after=vanish), pytest.raises(OSError, match=r"is gone|could not be stored"):
        train_in(tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_metrics_that_are_no_table_are_named(copy):
    lines = copy.metrics.read_text().splitlines()
    for damaged in (lines[:2] + lines[3:], lines[:2] + lines[1:], ["\0"]):
        copy.metrics.write_text("\n".join(damaged) + "\n")
        with pytest.raises(ValueError, match=r"metrics\.csv.*(is damaged|expected columns)"):
            train_in(copy.workdir)


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


def test_a_disk_that_is_full_or_can_only_be_read_loses_nothing(small_disk, undisturbed):
    def fill_up(rows):
        if len(rows) == 3:
            with open(small_disk / "filler", "wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(small_disk).free)

    run = RunFolder(small_disk / "run")
    with writing(before=fill_up), pytest.raises(OSError, match="No space left on device") as error:
        train_in(run.workdir)
    assert error.value.errno == 28
    assert json.loads(run.config.read_text())
    (small_disk / "filler").unlink()
    with writing(before=stop_at(5, OSError("gone"))), pytest.raises(OSError, match="gone"):
        train_in(run.workdir)
    before = outcome(run.workdir)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OSError, match="Read-only file system"):
        train_in(run.workdir)
    assert differences(outcome(run.workdir), before) == []
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert differences(outcome(train_in(run.workdir).workdir), outcome(undisturbed)) == []
