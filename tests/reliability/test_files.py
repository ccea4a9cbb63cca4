"""Links, temporary files and locks in a run's folder."""

import dataclasses
import os
import shutil

import pandas as pd
import pytest

from memorize_jax.commands import report
from memorize_jax.measurements.registry import open_study
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.train import train_run
from memorize_jax.storage.files import replacing
from memorize_jax.storage.lock import check_no_links, locked, remove_stale_lock
from tests.reliability.conftest import CONFIG, read


@pytest.mark.parametrize(
    "place", ["run.lock", "labels.npz", "results", "results/x.partial.jsonl", "checkpoints/epochs/3", "figures", "a/b"]
)
def test_a_link_inside_a_run_is_refused_and_not_followed(mine, tmp_path, place):
    outside, link = tmp_path / "outside", mine.workdir / place
    outside.mkdir()
    (outside / "precious").write_text("mine")
    if link.is_dir():
        shutil.rmtree(link)
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    steps = [lambda: read(mine), lambda: report.run(mine.workdir), lambda: train_run(mine.workdir, CONFIG)]
    for step in steps:
        with pytest.raises((ValueError, OSError), match=f"{place} is a link; a run's folder must hold its own files"):
            step()
    assert [path.name for path in outside.iterdir()] == ["precious"]


def test_a_run_may_be_reached_by_a_link_and_its_table_is_the_one_that_was_measured(mine, tmp_path):
    (tmp_path / "by").symlink_to(mine.workdir)
    read(RunFolder(tmp_path / "by"))
    check_no_links(tmp_path / "nothing")
    table = pd.read_csv(mine.results / "gradients.csv")
    pd.testing.assert_frame_equal(open_study(mine.workdir).tables["gradients"][table.columns], table)


def test_temporary_names_cannot_be_foreseen_and_only_ours_are_cleared(tmp_path):
    names = set()
    for _ in range(2):
        with replacing(tmp_path / "table.csv") as beside:
            assert beside.stat().st_size == 0
            names.add(beside.name)
            beside.write_text("x")
    assert len(names) == 2
    left, kept = f".table.{16 * 'a'}.tmp.csv", [".table.tmp.csv", ".notes.tmp", f".claims.{16 * 'b'}.tmp.csv"]
    for name in (left, *kept):
        (tmp_path / name).write_text("x")
    with locked(tmp_path):
        assert not (tmp_path / left).exists()
    assert all((tmp_path / name).exists() for name in kept)
    os.utime(tmp_path / kept[-1], (0, 0))
    with locked(tmp_path):
        assert not (tmp_path / kept[-1]).exists()


def test_only_what_is_named_like_our_own_is_cleared_away(mine):
    names = ("thesis.newest", "notes.old", "7.older", "x.new", "9.new")
    folders = [mine.checkpoints / "epochs" / name for name in names]
    for folder in folders:
        folder.mkdir()
    train_run(mine.workdir, dataclasses.replace(CONFIG, epochs=4))
    assert [folder.is_dir() for folder in folders] == [True] * 4 + [False]


def test_a_stale_lock_tells_nobody_who_left_it(mine):
    lock, holder = (mine.workdir / name for name in ("run.lock", "run.holder.json"))
    lock.write_text('{"host": "my-laptop", "command": "secret"}')
    report.run(mine.workdir)
    assert not lock.exists()
    with locked(mine.workdir):
        remove_stale_lock(mine.workdir)
        assert "host" in holder.read_text()


def test_a_file_system_without_locks_is_one_clear_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    message = r"is on a file system without locks .*choose a --workdir on another disk"
    with pytest.raises(OSError, match=message), locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
