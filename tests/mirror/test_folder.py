import json
import shutil
import threading
import time
import types

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from memorize_jax.locks import BusyError
from memorize_jax.mirror import BucketError, folder, local_folder, mirrored, transfer
from memorize_jax.mirror import lease as leases
from memorize_jax.mirror.bucket import Bucket, create_file, list_files, open_bucket, read_file, write_file
from memorize_jax.mirror.local import Memory
from memorize_jax.mirror.transfer import MANIFEST, Mirror, bring_here, bring_there

URL = "memory://bucket/runs/mine"
SAID = []


@pytest.fixture(autouse=True)
def store():
    SAID.clear()
    filesystem = fsspec.filesystem("memory")
    yield filesystem.store
    filesystem.store.clear()


def work_on(root, url=URL, **options):
    return mirrored(url, root, **({"say": SAID.append, "on_lost": lambda: None} | options))


def contents(place):
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def in_bucket(store):
    return {
        name.removeprefix("/bucket/runs/mine/"): file.getvalue()
        for name, file in store.items()
        if not name.endswith((MANIFEST, leases.NAME))
    }


# --- a run as far as order matters, and an interrupted upload


def make_run(place, last, without=()):
    """The files of a run after epoch `last`: networks but for some, two training states, tables."""
    shutil.rmtree(place, ignore_errors=True)
    files = {"config.json": "config", "labels.npz": "labels", "metrics.csv": str(last), "results/a.csv": f"of {last}"}
    for epoch in set(range(last + 1)) - set(without):
        files |= {f"checkpoints/epochs/{epoch}/{name}": f"{name} {epoch}" for name in ("leaf/0.0", "seal.json")}
    for epoch in (last - 1, last):
        files |= {f"checkpoints/resume/{epoch}/{name}": f"state {epoch}" for name in ("leaf/0.0", "seal.json")}
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(content)


def check_goes_on(found, gone):
    """A run can go on from its newest sound state up to its metrics, with all networks before that but those gone."""
    if "metrics.csv" not in found:
        return
    assert found["config.json"] == b"config"
    last = int(found["metrics.csv"])
    states = [epoch for epoch in range(last + 1) if f"checkpoints/resume/{epoch}/seal.json" in found]
    whole = [one for one in states if found.get(f"checkpoints/resume/{one}/leaf/0.0") == f"state {one}".encode()]
    assert whole
    for epoch in set(range(max(whole) + 1)) - gone.get(last, set()):
        assert found[f"checkpoints/epochs/{epoch}/leaf/0.0"] == f"leaf/0.0 {epoch}".encode()
        assert found[f"checkpoints/epochs/{epoch}/seal.json"] == f"seal.json {epoch}".encode()


class Failing:
    """A file system that is gone after so many changes."""

    def __init__(self, filesystem, changes):
        self._filesystem, self._left, self._lock = filesystem, changes, threading.Lock()

    def __getattr__(self, name):
        return getattr(self._filesystem, name)

    def _count(self):
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise ConnectionError("gone")

    def pipe_file(self, *arguments, **options):
        self._count()
        self._filesystem.pipe_file(*arguments, **options)

    def rm_file(self, *arguments):
        self._count()
        self._filesystem.rm_file(*arguments)


def mirror_of(root, bucket):
    memory = Memory(root / "memory.json")
    return Mirror(bucket, leases.acquire(bucket, "a", say=SAID.append, sleep=id), root / "run", memory, {})


@pytest.mark.parametrize("start", [None, 3])
def test_wherever_uploading_stops_the_bucket_holds_a_run_that_goes_on(tmp_path, store, start):
    here, bucket = tmp_path / "here", open_bucket(URL)
    mirror = mirror_of(here, bucket)
    if start is not None:
        make_run(mirror.folder, start)
        bring_there(mirror)
    before = {name: file.getvalue() for name, file in store.items()}
    known, version = dict(mirror.known), mirror.memory.version
    make_run(mirror.folder, 6, without=(1,))
    changes = 0
    while True:
        store.clear()
        for name, content in before.items():
            bucket.filesystem.pipe_file(name, content)
        mirror.memory.version, mirror.memory.attempts = version, []
        one = mirror._replace(bucket=bucket._replace(filesystem=Failing(bucket.filesystem, changes)), known=dict(known))
        try:
            bring_there(one)
            broken = False
        except BucketError:
            broken = True
        # As another machine finds it, and then this one.
        other = tmp_path / f"other{changes}"
        bring_here(bucket, other, Memory(tmp_path / "none"), say=SAID.append)
        check_goes_on(contents(other), gone={6: {1}})
        shutil.rmtree(other)
        again = one._replace(bucket=bucket, known=bring_here(bucket, here / "run", mirror.memory, say=SAID.append))
        assert contents(mirror.folder)["metrics.csv"] == b"6"
        bring_there(again)
        assert in_bucket(store) == contents(mirror.folder)
        if not broken:
            break
        changes += 1
    assert changes > 20


# --- around a command


def test_what_is_done_here_is_there_afterwards_and_on_the_next_machine(tmp_path, store):
    with work_on(tmp_path / "one") as place:
        make_run(place, 4)
        (place / "run.lock").touch()
    (place / "run.lock").unlink()
    assert in_bucket(store) == contents(place)
    with work_on(tmp_path / "two") as other:
        assert contents(other) == in_bucket(store)
        make_run(other, 5)
    assert in_bucket(store) == contents(other)
    with work_on(tmp_path / "one") as place:
        assert contents(place) == contents(other)
    assert "taking over what another machine has done on memory://bucket/runs/mine" in SAID
    assert open_bucket(URL).path(leases.NAME) not in store


def test_nothing_is_read_again_on_the_same_machine(tmp_path):
    with work_on(tmp_path) as place:
        make_run(place, 2)
    SAID.clear()
    with work_on(tmp_path):
        pass
    assert SAID == []


def test_uploads_go_on_while_the_work_does(tmp_path, store):
    with work_on(tmp_path, seconds=0.01) as place:
        make_run(place, 3)
        deadline = time.monotonic() + 10
        while "metrics.csv" not in in_bucket(store) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert in_bucket(store)["metrics.csv"] == b"3"


def test_after_an_error_what_was_done_is_there_and_the_error_is_seen(tmp_path, store):
    def work():
        with work_on(tmp_path) as place:
            make_run(place, 1)
            raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"):
        work()
    assert in_bucket(store)["metrics.csv"] == b"1"


@pytest.fixture
def outage(monkeypatch):
    """The bucket cannot be read while `.on`."""
    state, read = types.SimpleNamespace(on=False), MemoryFileSystem.cat_file

    def cat_file(*arguments, **options):
        if state.on:
            raise ConnectionError("gone")
        return read(*arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
    monkeypatch.setattr(folder, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(leases, "SETTLE_SECONDS", 0)
    return state


def test_a_bucket_that_is_lost_is_named_and_the_next_command_brings_the_rest(tmp_path, store, outage):
    message = rf"memory://\S+ could not be read \(ConnectionError: gone\); everything is in {tmp_path}/mine-"

    def work():
        with work_on(tmp_path, seconds=0.01) as place:
            outage.on = True
            make_run(place, 2)
            time.sleep(0.1)

    with pytest.raises(BucketError, match=message):
        work()
    # Said once, however often it was tried.
    assert len([line for line in SAID if "trying again" in line]) == 1
    assert in_bucket(store) == {}
    outage.on = False
    with work_on(tmp_path) as place:
        pass
    assert in_bucket(store) == contents(place)
    assert in_bucket(store)["metrics.csv"] == b"2"


def test_an_outage_that_ends_is_no_error(tmp_path, store, outage):
    with work_on(tmp_path, seconds=0.01) as place:
        outage.on = True
        make_run(place, 2)
        time.sleep(0.1)
        outage.on = False
    assert in_bucket(store) == contents(place)


def test_the_error_of_the_work_is_seen_rather_than_that_of_the_bucket(tmp_path, outage):
    def work():
        with work_on(tmp_path) as place:
            outage.on = True
            make_run(place, 2)
            raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"):
        work()
    assert "everything is in" in SAID[-1]


def test_a_run_that_was_taken_over_is_not_written_to(tmp_path, store):
    lost = threading.Event()
    holder = {"token": "other", "pid": 7, "host": "elsewhere", "since": "now"}

    def work():
        with work_on(tmp_path, on_lost=lost.set, seconds=0.01) as place:
            write_file(open_bucket(URL), leases.NAME, json.dumps(holder).encode())
            make_run(place, 2)
            assert lost.wait(10)

    with pytest.raises(BusyError, match="is in use by process 7 on elsewhere since now now; nothing more is written"):
        work()
    assert in_bucket(store) == {}
    assert json.loads(read_file(open_bucket(URL), leases.NAME)) == holder


class StandsStill(Failing):
    """A file system whose machine stands still before one of its changes, long enough for another to take over."""

    def _count(self):
        with self._lock:
            self._left -= 1
            if self._left:
                return
            theirs = {name: b"theirs" for name in self._filesystem.store} | {"/bucket/runs/mine/metrics.csv": b"theirs"}
            for name, content in theirs.items():
                self._filesystem.pipe_file(name, content)
            holder = {"token": "other", "pid": 7, "host": "elsewhere", "since": "now"}
            self._filesystem.pipe_file(f"/bucket/runs/mine/{leases.NAME}", json.dumps(holder).encode())


@pytest.mark.parametrize("at_once", [1, 8])
def test_a_machine_that_stood_still_while_uploading_writes_no_more_than_the_files_in_flight(
    tmp_path, store, monkeypatch, at_once
):
    monkeypatch.setattr(transfer, "AT_ONCE", at_once)
    bucket = open_bucket(URL)
    before = mirror_of(tmp_path, bucket)
    make_run(before.folder, 3)
    bring_there(before)
    here = {name: file.getvalue() for name, file in store.items()}
    known, version = dict(before.known), before.memory.version
    make_run(before.folder, 6, without=(1,))
    stopped = 0
    for change in range(1, 100):
        store.clear()
        for name, content in here.items():
            bucket.filesystem.pipe_file(name, content)
        before.memory.version, before.memory.attempts = version, []
        slow = bucket._replace(filesystem=StandsStill(bucket.filesystem, change))
        try:
            bring_there(before._replace(bucket=slow, known=dict(known), lease=before.lease._replace(bucket=slow)))
        except BusyError:
            stopped += 1
        taken = f"/bucket/runs/mine/{leases.NAME}"
        if b"other" not in store[taken].getvalue():
            break
        ours = {name for name, file in store.items() if file.getvalue() != b"theirs"} - {taken}
        assert len(ours) <= at_once
    # At the last change there is nothing more to write.
    assert stopped == change - 2 > 15


def test_two_commands_on_one_machine_do_not_work_in_one_folder(tmp_path):
    with work_on(tmp_path), pytest.raises(BusyError, match="is in use by process"), work_on(tmp_path):
        pass


# --- what a bucket may hold


@pytest.fixture
def left(tmp_path):
    """A run in the bucket, and no longer here."""
    with work_on(tmp_path / "one") as place:
        make_run(place, 3)
    return open_bucket(URL)


def test_a_table_that_has_changed_in_the_bucket_is_named(tmp_path, left):
    write_file(left, "metrics.csv", b"4")
    for _ in range(2):
        with (
            pytest.raises(ValueError, match=r"mine: metrics.csv changed since it was written"),
            work_on(tmp_path / "two"),
        ):
            pass
    left.filesystem.rm_file(left.path("metrics.csv"))
    with work_on(tmp_path / "two") as place:
        assert not (place / "metrics.csv").exists()
        assert (place / "config.json").exists()


def test_a_checkpoint_that_has_changed_is_left_to_its_seal(tmp_path, left):
    write_file(left, "checkpoints/epochs/1/leaf/0.0", b"other")
    with work_on(tmp_path / "two") as place:
        assert (place / "checkpoints/epochs/1/leaf/0.0").read_bytes() == b"other"
    assert f"warning: {URL}/checkpoints/epochs/1/leaf/0.0 has changed since it was written" in SAID


def test_what_somebody_else_has_put_there_comes_here_and_stays_there(tmp_path, left, store):
    write_file(left, "notes/mine.txt", b"mine")
    write_file(left, "run.lock", b"of a copied run")
    write_file(left, "../../../outside", b"x")
    with work_on(tmp_path / "two") as place:
        assert (place / "notes/mine.txt").read_bytes() == b"mine"
        assert {path.name for path in tmp_path.rglob("*")}.isdisjoint({"run.lock.new", "outside"})
    assert in_bucket(store)["notes/mine.txt"] == b"mine"


def test_a_run_that_was_copied_there_by_other_means_is_read_whole(tmp_path, store):
    make_run(tmp_path / "copied", 3)
    for path, content in contents(tmp_path / "copied").items():
        write_file(open_bucket(URL), path, content)
    with work_on(tmp_path / "two") as place:
        assert contents(place) == contents(tmp_path / "copied")
        shutil.rmtree(place / "checkpoints/epochs/1")
    assert "checkpoints/epochs/1/seal.json" not in in_bucket(store)


def test_a_bucket_that_was_emptied_does_not_empty_this_folder(tmp_path, left, store):
    store.clear()
    with (
        pytest.raises(ValueError, match=r"mine is empty, but .* holds a run from there; remove it"),
        work_on(tmp_path / "one"),
    ):
        pass
    assert (local_folder(URL, tmp_path / "one") / "metrics.csv").exists()


def test_a_memory_that_is_lost_only_costs_comparing(tmp_path, left, store):
    place = local_folder(URL, tmp_path / "one")
    (place.parent / "memory.json").write_text("{")
    with work_on(tmp_path / "one"):
        assert contents(place) == in_bucket(store)


def test_local_folders_have_names_one_can_tell_apart(tmp_path):
    assert local_folder(URL + "/", tmp_path) == local_folder(URL, tmp_path)
    assert local_folder(URL, tmp_path) != local_folder("memory://other/runs/mine", tmp_path)
    assert local_folder(URL, tmp_path).relative_to(tmp_path).parts[0].startswith("mine-")


def test_a_scheme_without_its_package_says_how_to_install_it(monkeypatch):
    def missing(*arguments, **options):
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(ValueError, match=r"a workdir gs:// needs another package: pip install 'memorize_jax\[gcs\]'"):
        open_bucket("gs://bucket/run")


@pytest.mark.parametrize("write", [write_file, create_file])
def test_a_bucket_that_does_not_exist_is_asked_about(write):
    def missing(*arguments, **options):
        raise FileNotFoundError

    bucket = Bucket("gs://none/run", types.SimpleNamespace(pipe_file=missing), "none/run")
    with pytest.raises(BucketError, match=r"^gs://none/run/a could not be written \(is there such a bucket\?\)$"):
        write(bucket, "a", b"")


def test_of_several_that_create_a_file_one_succeeds():
    bucket = open_bucket(URL)
    assert [create_file(bucket, "a", content) for content in (b"1", b"2")] == [True, False]
    assert read_file(bucket, "a") == b"1"
    assert list_files(bucket) == {"a": 1}
    assert list_files(Bucket("memory://none", bucket.filesystem, "/none")) == {}
