import dataclasses
import shutil
import subprocess
import sys
import time
import types

import fsspec
import pandas as pd
import pytest

from memorize_jax import presets
from memorize_jax.commands import buckets
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import check_same_run
from memorize_jax.runs.train import train_run
from memorize_jax.storage.bucket import local_folder
from memorize_jax.storage.checkpoints import EpochStore
from tests.commands import ROOT, python

URL = "memory://bucket/runs/mine"


@pytest.fixture(autouse=True)
def store():
    filesystem = fsspec.filesystem("memory")
    yield filesystem.store
    filesystem.store.clear()


def given(tmp_path, workdir=URL):
    return types.SimpleNamespace(workdir=workdir, local_dir=str(tmp_path))


def test_a_command_works_in_a_folder_and_speaks_of_the_bucket(tmp_path, capsys, store):
    flags = given(tmp_path)
    with buckets.workdir_here(flags, schemes=("memory",)):
        place = local_folder(URL, tmp_path)
        assert flags.workdir == str(place)
        (place / "report.html").write_text("page")
        sys.stdout.write(f"done; next: python -m experiments.report --workdir={flags.workdir}\n")
    assert capsys.readouterr().out == f"done; next: python -m experiments.report --workdir={URL}\n"
    assert flags.workdir == URL
    assert buckets.named_as_given(f"no table {place}/results/x.csv", flags) == f"no table {URL}/results/x.csv"
    assert store["/bucket/runs/mine/report.html"].getvalue() == b"page"


TRAINS = """
import dataclasses, sys, types
from memorize_jax import presets
from memorize_jax.commands import buckets
from memorize_jax.runs.train import train_run
from memorize_jax import interruption

flags = types.SimpleNamespace(workdir=sys.argv[1], local_dir=sys.argv[2])
config = dataclasses.replace(presets.PRESETS["smoke"].run, epochs=30, stop_accuracy=1.0)
with interruption.terminable(), buckets.workdir_here(flags, schemes=("file",), seconds=0.2):
    train_run(flags.workdir, config)
"""


@pytest.mark.slow
def test_a_machine_that_is_told_to_end_leaves_everything_for_the_next(tmp_path):
    def arguments(bucket, machine):
        return "-c", TRAINS, f"file://{tmp_path / bucket}", tmp_path / machine

    whole = python(*arguments("whole", "one"))
    assert whole.returncode == 0, whole.stderr
    metrics = RunFolder(tmp_path / "bucket").metrics
    command = [sys.executable, *map(str, arguments("bucket", "two"))]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not metrics.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
        error = process.communicate()[1]
    assert "Terminated" in error
    reached = len(pd.read_csv(metrics))
    assert reached < 31
    rest = python(*arguments("bucket", "three"))
    assert rest.returncode == 0, rest.stderr
    assert "reading" in rest.stderr
    tables = [pd.read_csv(RunFolder(tmp_path / name).metrics).drop(columns="seconds") for name in ("whole", "bucket")]
    pd.testing.assert_frame_equal(*tables)
    with EpochStore(RunFolder(tmp_path / "bucket").checkpoints) as networks:
        assert networks.faults(tables[0]["test_accuracy"].tolist(), finished=True) == {}


def test_a_folder_is_left_as_it_is(tmp_path):
    flags = given(tmp_path, workdir=str(tmp_path / "run"))
    with buckets.workdir_here(flags):
        assert flags.workdir == str(tmp_path / "run")
    assert buckets.named_as_given("no table", flags) == "no table"
    assert list(tmp_path.iterdir()) == []


def test_a_run_goes_on_from_the_bucket_on_another_machine(tmp_path, smoke_run, store):
    config = presets.PRESETS["smoke"].run
    with buckets.workdir_here(flags := given(tmp_path / "one"), schemes=("memory",)):
        shutil.copytree(smoke_run, flags.workdir, dirs_exist_ok=True)
    with buckets.workdir_here(flags := given(tmp_path / "two"), schemes=("memory",)):
        check_same_run(RunFolder(flags.workdir), config)
        train_run(flags.workdir, dataclasses.replace(config, epochs=config.epochs + 1, stop_accuracy=1.0))
    with (
        buckets.workdir_here(flags := given(tmp_path / "three"), schemes=("memory",)),
        EpochStore(RunFolder(flags.workdir).checkpoints) as networks,
    ):
        assert networks.epochs() == list(range(config.epochs + 2))
        networks.load(config.epochs + 1)
