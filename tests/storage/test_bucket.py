import contextlib
import shutil
import time
import types
from unittest.mock import Mock

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from memorize_jax.storage.bucket import BEAT, LOCK, MANIFEST, Bucket, BucketError, local_folder
from memorize_jax.storage.lock import BusyError
from tests.storage import made_up_bucket
from tests.storage.made_up_bucket import PLACE, SAID, URL, acquired, contents, in_bucket, make_run, opened, put, work_on

store = made_up_bucket.store


def test_what_is_done_here_is_there_afterward_and_on_the_next_machine(tmp_path, store):
    locks = ("run.lock", "run.holder.json")
    with work_on(tmp_path / "one") as place:
        make_run(place, 4)
        for name in locks:
            (place / name).touch()
    for name in locks:
        (place / name).unlink()
    assert in_bucket(store) == contents(place)
    assert not {PLACE + LOCK, PLACE + BEAT} & set(store)
    with work_on(tmp_path / "two") as other:
        assert contents(other) == in_bucket(store)
        shutil.rmtree(other / "checkpoints/resume/3")
        (other / "metrics.csv").write_text("5")
    assert in_bucket(store) == contents(other) == contents(opened(tmp_path / "one"))
    # Checkpoints that both have had are not read again.
    assert SAID[-1] == f"taking over what another machine has done on {URL}: 1 files"
    SAID.clear()
    opened(tmp_path / "one")
    assert SAID == []


def test_the_work_is_uploaded_meanwhile_and_no_other_command_works_in_the_folder(tmp_path, store):
    with work_on(tmp_path, seconds=0.01) as place:
        with pytest.raises(BusyError, match="is in use by process"), work_on(tmp_path):
            pass
        make_run(place, 3)
        deadline = time.monotonic() + 60
        while "metrics.csv" not in in_bucket(store) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert in_bucket(store)["metrics.csv"] == b"3"


@pytest.fixture
def outage(monkeypatch):
    """The bucket cannot be read while `.on`."""
    state, read = types.SimpleNamespace(on=False), MemoryFileSystem.cat_file

    def cat_file(*arguments):
        if state.on:
            raise ConnectionError("gone")
        return read(*arguments)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
    return state


@pytest.mark.parametrize("copied", [False, True])
def test_a_bucket_that_is_lost_is_named_and_the_next_command_brings_the_rest(tmp_path, store, outage, copied):
    if copied:
        put("metrics.csv", b"of a run that was copied there by other means")
    message = rf"^{URL}/\S+ could .*\(ConnectionError: gone\); everything is in {tmp_path}/mine"
    with contextlib.ExitStack() as around:
        around.enter_context(pytest.raises(BucketError, match=message))
        place = around.enter_context(work_on(tmp_path, seconds=0.01))
        outage.on = True
        make_run(place, 2)
        time.sleep(0.1)
    # Said once, however often it was tried.
    assert len([line for line in SAID if "trying again" in line]) == 1
    assert "config.json" not in in_bucket(store)
    outage.on = False
    assert contents(opened(tmp_path))["metrics.csv"] == b"2"
    assert in_bucket(store) == contents(place)


def test_the_error_of_the_work_is_seen_rather_than_that_of_the_bucket(tmp_path, store, outage):
    def work(is_lost):
        with work_on(tmp_path) as place:
            outage.on = is_lost
            make_run(place, 2)
            raise ValueError("as it happens")

    for is_lost in (False, True):
        with pytest.raises(ValueError, match="as it happens"):
            work(is_lost)
        assert in_bucket(store)["metrics.csv"] == b"2"
    assert "everything is in" in SAID[-1]


# --- what a bucket may hold


@pytest.fixture
def left(tmp_path):
    """A run in the bucket, and no longer here."""
    with work_on(tmp_path / "one") as place:
        make_run(place, 3)


def test_a_table_that_has_changed_in_the_bucket_is_named_and_a_checkpoint_left_to_its_checksums(tmp_path, left, store):
    put("checkpoints/epochs/1/leaf/0.0", b"other")
    put("metrics.csv", b"4")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"mine: metrics.csv changed since it was written"):
            opened(tmp_path / "two")
    del store[PLACE + "metrics.csv"]
    place = opened(tmp_path / "two")
    assert set(contents(place)) == set(in_bucket(store))
    assert (place / "checkpoints/epochs/1/leaf/0.0").read_bytes() == b"other"


def test_what_somebody_else_has_put_there_comes_here_and_stays_there(tmp_path, left, store):
    ours = ("run.lock", "run.holder.json", "../../../outside", "checkpoints/epochs/3.new/a", "results/.a.1.tmp")
    for name in ("notes/mine.txt", *ours):
        put(name, b"mine")
    place = opened(tmp_path / "two")
    assert (place / "notes/mine.txt").read_bytes() == b"mine"
    found = {path.name for path in tmp_path.rglob("*")}
    assert not {"run.lock", "run.holder.json", "outside", "3.new", ".a.1.tmp"} & found
    assert in_bucket(store)["notes/mine.txt"] == b"mine"


def test_a_run_that_was_copied_there_by_other_means_is_read_whole(tmp_path, left, store):
    del store[PLACE + MANIFEST]
    with work_on(tmp_path / "two") as place:
        assert contents(place) == in_bucket(store)
        shutil.rmtree(place / "checkpoints/epochs/1")
    assert "checkpoints/epochs/1/seal.json" not in in_bucket(store)


@pytest.mark.parametrize("memory", ["{", None])
def test_neither_an_empty_bucket_nor_a_lost_memory_costs_what_is_here(tmp_path, left, store, memory):
    place = local_folder(URL, tmp_path / "one")
    before = contents(place)
    if memory:
        (place.parent / "memory.json").write_text(memory)
    else:
        store.clear()
    assert contents(opened(tmp_path / "one")) == before == in_bucket(store)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"files": {}, "version": "of the first program"}'])
def test_a_list_of_files_that_is_none_is_refused(tmp_path, left, content):
    put(MANIFEST, content)
    with pytest.raises(ValueError, match=rf"^{URL}/{MANIFEST}: expected a list of files, got .*; remove it"):
        opened(tmp_path / "two")


def test_local_folders_have_names_one_can_tell_apart(tmp_path):
    assert local_folder(URL + "/", tmp_path) == local_folder(URL, tmp_path)
    assert local_folder(URL, tmp_path) != local_folder("memory://other/runs/mine", tmp_path)
    assert local_folder(URL, tmp_path).relative_to(tmp_path).parts[0].startswith("mine-")


def test_a_missing_package_and_a_missing_bucket_are_asked_about(monkeypatch):
    raising = lambda error: Mock(side_effect=error)
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", raising(FileNotFoundError()))
    with pytest.raises(BucketError, match=rf"^{URL}/.mirror.lock could .* \(is there such a bucket\?\)$"):
        acquired()
    monkeypatch.setattr(fsspec, "url_to_fs", raising(ImportError("Please install gcsfs to access Google Storage")))
    with pytest.raises(ValueError, match=r"gs://bucket/run needs another package: pip install 'memorize_jax\[gcs\]'"):
        Bucket("gs://bucket/run")
