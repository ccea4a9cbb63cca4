import contextlib
import shutil
import threading
import time
import types

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from memorize_jax.storage import bucket as module
from memorize_jax.storage.bucket import (
    BEAT,
    LOCK,
    MANIFEST,
    Bucket,
    BucketError,
    bring_here,
    bring_there,
    local_folder,
    mirrored,
)
from memorize_jax.storage.lock import BusyError

URL, PLACE = "memory://bucket/runs/mine", "/bucket/runs/mine/"
SAID = []


@pytest.fixture(autouse=True)
def store(monkeypatch):
    # Threads that read a file of this file system share its position.
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda self, path: self._open(path).getvalue())
    SAID.clear()
    yield MemoryFileSystem.store
    MemoryFileSystem.store.clear()


def work_on(root, url=URL, **options):
    return mirrored(url, root, **({"say": SAID.append, "on_lost": lambda: None} | options))


def put(name, content):
    fsspec.filesystem("memory").pipe_file(PLACE + name, content)


def contents(place):
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def in_bucket(store):
    files = {name.removeprefix(PLACE): file.getvalue() for name, file in store.items()}
    return {name: content for name, content in files.items() if name not in (MANIFEST, LOCK, BEAT)}


def held(token="theirs", who="process 7 on elsewhere since now"):
    put(LOCK, f"{token:32} {who}".encode())


# --- a run as far as order matters, and uploads that stop


def make_run(place, last, without=()):
    """The files of a run after epoch `last`: networks but for some, two training states, tables."""
    shutil.rmtree(place, ignore_errors=True)
    files = dict.fromkeys(("metrics.json", "metrics.csv"), str(last))
    files |= {"config.json": "config", "labels.npz": "labels", "results/a.csv": f"of {last}"}
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
    assert int(found["metrics.json"]) >= last
    states = [epoch for epoch in range(last + 1) if f"checkpoints/resume/{epoch}/seal.json" in found]
    whole = [one for one in states if found.get(f"checkpoints/resume/{one}/leaf/0.0") == f"state {one}".encode()]
    assert whole
    for epoch in set(range(max(whole) + 1)) - gone.get(last, set()):
        for name in ("leaf/0.0", "seal.json"):
            assert found[f"checkpoints/epochs/{epoch}/{name}"] == f"{name} {epoch}".encode()


class Counting:
    """A file system whose every change is counted before it is made."""

    def __init__(self, filesystem, count):
        self._filesystem, self._count = filesystem, count

    def __getattr__(self, name):
        if name in ("pipe_file", "rm_file"):
            self._count()
        return getattr(self._filesystem, name)


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("start", [None, 3])
def test_wherever_uploading_stops_the_bucket_holds_a_run_that_goes_on(tmp_path, store, monkeypatch, start, at_once):
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    here, one, known = tmp_path / "here", Bucket(URL), {}
    one.acquire([], SAID.append)
    if start is not None:
        make_run(here, start)
        bring_there(one, here, known)
    filesystem, before = one._fs, {name: file.getvalue() for name, file in store.items()}
    make_run(here, 6, without=(1,))
    for changes in range(100):
        store.clear()
        for name, content in before.items():
            filesystem.pipe_file(name, content)
        left = iter(range(changes))
        one._fs = Counting(filesystem, lambda left=left: next(left))
        with contextlib.suppress(BucketError):
            bring_there(one, here, dict(known))
        is_whole = in_bucket(store) == contents(here)
        one._fs = filesystem
        # As another machine finds it, and then this one.
        other = tmp_path / f"other{changes}"
        bring_here(one, other, [], SAID.append)
        if other.exists():
            check_goes_on(contents(other), gone={6: {1}})
        _, again = bring_here(one, here, [one.token, ""], SAID.append)
        assert contents(here)["metrics.csv"] == b"6"
        bring_there(one, here, again)
        assert in_bucket(store) == contents(here)
        if is_whole and next(left, None) is not None:
            break
    assert 20 < changes < 99


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("change", [1, 2, 5, 9, 17, 24, 25, 26, 28, 29])
def test_a_machine_that_stood_still_writes_no_more_than_what_was_in_flight(
    tmp_path, store, monkeypatch, change, at_once
):
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "GONE_SECONDS", 0.02)
    with work_on(tmp_path / "one") as place:
        make_run(place, 3)
    stands, goes_on, lost, counted, lock = *(threading.Event() for _ in range(3)), iter(range(1, 999)), threading.Lock()
    ends = []

    def count():
        with lock:
            is_later = next(counted) >= change
        if is_later:
            stands.set()
            assert goes_on.wait(60)

    def work():
        try:
            with work_on(tmp_path / "one", on_lost=lost.set, seconds=0.01) as place:
                shutil.rmtree(place)
                make_run(place, 6, without=(1,))
                assert lost.wait(60)
        except BusyError as error:
            ends.append(str(error))

    first = threading.Thread(target=work)
    plain = Bucket.acquire

    def acquire(self, *arguments):
        plain(self, *arguments)
        self._fs = Counting(self._fs, count)

    monkeypatch.setattr(Bucket, "acquire", acquire)
    first.start()
    assert stands.wait(60)
    monkeypatch.setattr(Bucket, "acquire", plain)
    with work_on(tmp_path / "two") as place:
        make_run(place, 9)
        # What the first had in flight arrives at the worst time.
    after = {name: file.getvalue() for name, file in store.items()}
    assert in_bucket(store) == contents(place)
    goes_on.set()
    first.join(60)
    found = {name: file.getvalue() for name, file in store.items()}
    late = {name for name in after | found if after.get(name) != found.get(name)}
    assert len(late) <= at_once
    if late == {PLACE + MANIFEST}:
        assert contents(opened(tmp_path / "two")) == in_bucket(store)
    assert not first.is_alive()
    # It is told in any case, and ends with an error too unless nothing was left to be written.
    assert ends or lost.is_set()
    (told,) = (line for line in SAID if line.startswith("warning:"))
    assert "nothing more is written there" in told


# --- the right to write


def acquired(earlier=()):
    one = Bucket(URL)
    one.acquire([*earlier, one.token], SAID.append)
    return one


@pytest.fixture
def slept(monkeypatch):
    """What was waited for; `.meanwhile` is called."""
    state = types.SimpleNamespace(seconds=0, meanwhile=lambda: None)

    def sleep(seconds):
        state.seconds += seconds
        state.meanwhile()

    monkeypatch.setattr(module, "time", types.SimpleNamespace(sleep=sleep, strftime=time.strftime))
    return state


def test_a_holder_that_shows_itself_is_named(slept):
    held()
    slept.meanwhile = lambda: put(BEAT, b"alive")
    with pytest.raises(BusyError, match=f"^workdir {URL} is in use by process 7 on elsewhere since now; wait for it"):
        acquired()
    assert slept.seconds == module.LOOK_SECONDS


@pytest.mark.parametrize("content", [None, b"\xff unknown", b""])
def test_a_holder_that_does_not_move_is_gone_after_a_while(slept, content):
    held()
    if content is not None:
        put(LOCK, content)
    acquired().check()
    assert slept.seconds == module.GONE_SECONDS
    assert SAID[-1].startswith("waiting up to 90 s to see whether")


def test_a_holder_that_leaves_makes_room_at_once(slept, store):
    held()
    slept.meanwhile = lambda: store.pop(PLACE + LOCK)
    acquired().check()
    assert slept.seconds == module.LOOK_SECONDS


def test_an_earlier_command_in_this_folder_on_this_machine_is_gone_for_sure(slept):
    first = acquired()
    second = acquired([first.token])
    assert slept.seconds == 0
    with pytest.raises(BusyError, match=r"is in use by process .* now; nothing more is written there"):
        first.check()
    # A copy of its disk on another machine is not.
    held(second.token)
    slept.meanwhile = lambda: put(BEAT, b"alive")
    with pytest.raises(BusyError, match="elsewhere"):
        acquired([second.token])


def test_of_two_that_take_over_at_once_one_remains(slept):
    first, second = acquired(), []
    slept.meanwhile = lambda: second.append(acquired([first.token])) if not second else None
    with pytest.raises(BusyError):
        acquired()
    second[0].check()


def test_what_is_late_takes_nothing_back(slept, store):
    first = acquired()
    late = Counting(first._fs, lambda: seconds.append(acquired([first.token])) if not seconds else None)
    seconds, first._fs, stop = [], late, threading.Event()
    stop.wait = lambda _: bool(seconds)
    with pytest.raises(BusyError):
        first.beat(stop)
    assert PLACE + BEAT in store
    seconds[0].check()
    stop.set()
    with pytest.raises(BusyError):
        first.do("pipe_file", "metrics.csv", b"")


# --- around a command


def test_what_is_done_here_is_there_afterwards_and_on_the_next_machine(tmp_path, store):
    with work_on(tmp_path / "one") as place:
        make_run(place, 4)
        (place / "run.lock").touch()
    (place / "run.lock").unlink()
    assert in_bucket(store) == contents(place)
    assert not {PLACE + LOCK, PLACE + BEAT} & set(store)
    with work_on(tmp_path / "two") as other:
        assert contents(other) == in_bucket(store)
        shutil.rmtree(other / "checkpoints/resume/3")
        (other / "metrics.csv").write_text("5")
    assert in_bucket(store) == contents(other)
    with work_on(tmp_path / "one") as place:
        assert contents(place) == contents(other)
    # Checkpoints that both have had are not read again.
    assert SAID[-1] == f"taking over what another machine has done on {URL}: 1 files"
    SAID.clear()
    with work_on(tmp_path / "one"):
        pass
    assert SAID == []


def test_uploads_go_on_while_the_work_does(tmp_path, store):
    with work_on(tmp_path, seconds=0.01) as place:
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

    def work():
        with work_on(tmp_path, seconds=0.01) as place:
            outage.on = True
            make_run(place, 2)
            time.sleep(0.1)

    with pytest.raises(
        BucketError, match=rf"^{URL}/\S+ could .*\(ConnectionError: gone\); everything is in {tmp_path}/mine"
    ):
        work()
    # Said once, however often it was tried.
    assert len([line for line in SAID if "trying again" in line]) == 1
    assert "config.json" not in in_bucket(store)
    outage.on = False
    with work_on(tmp_path) as place:
        assert contents(place)["metrics.csv"] == b"2"
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


def test_two_commands_on_one_machine_do_not_work_in_one_folder(tmp_path):
    with work_on(tmp_path), pytest.raises(BusyError, match="is in use by process"), work_on(tmp_path):
        pass


# --- what a bucket may hold


def opened(root):
    with work_on(root) as place:
        return place


@pytest.fixture
def left(tmp_path):
    """A run in the bucket, and no longer here."""
    with work_on(tmp_path / "one") as place:
        make_run(place, 3)


def test_a_table_that_has_changed_in_the_bucket_is_named(tmp_path, left, store):
    put("metrics.csv", b"4")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"mine: metrics.csv changed since it was written"):
            opened(tmp_path / "two")
    del store[PLACE + "metrics.csv"]
    assert set(contents(opened(tmp_path / "two"))) == set(in_bucket(store))


def test_a_checkpoint_that_has_changed_is_left_to_its_seal(tmp_path, left):
    put("checkpoints/epochs/1/leaf/0.0", b"other")
    assert (opened(tmp_path / "two") / "checkpoints/epochs/1/leaf/0.0").read_bytes() == b"other"


def test_what_somebody_else_has_put_there_comes_here_and_stays_there(tmp_path, left, store):
    for name in (
        "notes/mine.txt",
        "run.lock",
        "../../../outside",
        "checkpoints/epochs/3.new/a",
        "results/.a.1.tmp",
    ):
        put(name, b"mine")
    place = opened(tmp_path / "two")
    assert (place / "notes/mine.txt").read_bytes() == b"mine"
    assert not {"run.lock", "outside", "3.new", ".a.1.tmp"} & {path.name for path in tmp_path.rglob("*")}
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
    def missing(*arguments, **options):
        raise FileNotFoundError

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", missing)
    with pytest.raises(BucketError, match=rf"^{URL}/.mirror.lock could .* \(is there such a bucket\?\)$"):
        acquired()

    def absent(*arguments, **options):
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec, "url_to_fs", absent)
    with pytest.raises(ValueError, match=r"gs://bucket/run needs another package: pip install 'memorize_jax\[gcs\]'"):
        Bucket("gs://bucket/run")
