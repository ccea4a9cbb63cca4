"""Processes that are struck by a signal end where undisturbed ones do; `battery` does more of this."""

import shutil

import pytest

from memorize_jax.storage.lock import locked
from tests.commands import python
from tests.reliability.battery import battery, many
from tests.reliability.outcome import differences, outcome


@pytest.mark.slow
def test_a_study_that_is_killed_ends_as_an_undisturbed_one(tmp_path, smoke_run):
    workdir = tmp_path / "run"
    flags = ("--preset=smoke", "--geometry_epochs=0,final", f"--workdir={workdir}")
    # Of some sixty events.
    struck = python("-m", "tests.reliability.victim", "SIGKILL", "event", 40, "experiments.reproduce", *flags)
    assert struck.returncode == -9, struck.stderr
    assert differences(outcome(workdir), outcome(smoke_run))
    done = python("-m", "experiments.reproduce", *flags)
    assert done.returncode == 0, done.stderr
    assert differences(outcome(workdir), outcome(smoke_run)) == []


@pytest.mark.slow
def test_nothing_is_lost_at_random_moments(tmp_path):
    counts, problems = battery(tmp_path, kills=20, seed=0)
    assert problems == []
    assert counts["runs that differ"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["log", "best,last"])
def test_nothing_is_lost_when_only_some_epochs_are_kept(tmp_path, keep):
    flags = ("--dataset=digits", "--width=16", "--batch_size=256", "--epochs=30", "--stop_accuracy=1")
    _, problems = battery(tmp_path, kills=5, seed=1, run=(*flags, f"--keep={keep}", "--keep_dtype=bfloat16"))
    assert problems == []


@pytest.mark.slow
def test_the_second_process_in_a_folder_is_refused(tmp_path, smoke_run):
    workdir = shutil.copytree(smoke_run, tmp_path / "run")
    with locked(workdir):
        for experiment in ("train", "geometry", "reproduce"):
            preset = () if experiment == "geometry" else ("--preset=smoke",)
            done = python("-m", f"experiments.{experiment}", f"--workdir={workdir}", *preset)
            assert done.returncode == 1
            assert "is in use by process" in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_commands_that_make_many_runs_end_as_undisturbed_ones(tmp_path):
    _, problems = many(tmp_path, kills=3, seed=2)
    assert problems == []
