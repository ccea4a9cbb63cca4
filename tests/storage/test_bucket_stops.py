"""What a bucket holds wherever writing stops, and who may write there."""

import contextlib
import shutil
import threading
import time
import types

import pytest

from memorize_jax.storage import bucket
from memorize_jax.storage.bucket import BEAT, LOCK, MANIFEST, Bucket, BucketError, download, upload
from memorize_jax.storage.lock import BusyError
from tests.storage import made_up_bucket
from tests.storage.made_up_bucket import (
    PLACE,
    SAID,
    URL,
    Counting,
    acquired,
    contents,
    held,
    in_bucket,
    make_run,
    opened,
    put,
    work_on,
)

store = made_up_bucket.store


def check_goes_on(found, gone):
    """A run can go on from its newest sound state up to its metrics, with all networks before that but those gone."""
    if "metrics.csv" not in found:
        return
    assert found["config.json"] == b"config"
    last = int(found["metrics.csv"])
    assert int(found["metrics.json"]) >= last
    states = [one for one in range(last + 1) if f"checkpoints/resume/{one}/seal.json" in found]
    whole = [one for one in states if found.get(f"checkpoints/resume/{one}/leaf/0.0") == f"state {one}".encode()]
    assert whole
    for epoch in set(range(max(whole) + 1)) - gone.get(last, set()):
        for name in ("leaf/0.0", "seal.json"):
            assert found[f"checkpoints/epochs/{epoch}/{name}"] == f"{name} {epoch}".encode()


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("start", [None, 2])
def test_wherever_uploading_stops_the_bucket_holds_a_run_that_goes_on(tmp_path, store, monkeypatch, start, at_once):
    monkeypatch.setattr(bucket, "AT_ONCE", at_once)
    here, one, known = tmp_path / "here", acquired(), {}
    if start is not None:
        make_run(here, start)
        upload(one, here, known)
    filesystem, before = one._fs, {name: file.getvalue() for name, file in store.items()}
    make_run(here, 5, without=(1,))
    for changes in range(100):
        store.clear()
        for name, content in before.items():
            filesystem.pipe_file(name, content)
        left = iter(range(changes))
        one._fs = Counting(filesystem, lambda left=left: next(left))
        with contextlib.suppress(BucketError):
            upload(one, here, dict(known))
        is_whole = in_bucket(store) == contents(here)
        one._fs = filesystem
        # As another machine finds it, and then this one.
        other = tmp_path / f"other{changes}"
        download(one, other, [], SAID.append)
        if other.exists():
            check_goes_on(contents(other), gone={5: {1}})
        _, again = download(one, here, [one.token, ""], SAID.append)
        assert contents(here)["metrics.csv"] == b"5"
        upload(one, here, again)
        assert in_bucket(store) == contents(here)
        if is_whole and next(left, None) is not None:
            break
    assert 20 < changes < 99


@pytest.mark.parametrize("at_once", [1, 8])
# The last change is waited for until its time is up.
@pytest.mark.parametrize("change", [1, 2, 5, 9, 17, 24, 25, 26, 28, pytest.param(29, marks=pytest.mark.slow)])
def test_a_machine_that_stood_still_writes_no_more_than_what_was_in_flight(
    tmp_path, store, monkeypatch, change, at_once
):
    monkeypatch.setattr(bucket, "AT_ONCE", at_once)
    monkeypatch.setattr(bucket, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(bucket, "GONE_SECONDS", 0.02)
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


@pytest.fixture
def slept(monkeypatch):
    """What was waited for; `.meanwhile` is called."""
    state = types.SimpleNamespace(seconds=0, meanwhile=lambda: None)

    def sleep(seconds):
        state.seconds += seconds
        state.meanwhile()

    monkeypatch.setattr(bucket, "time", types.SimpleNamespace(sleep=sleep, strftime=time.strftime))
    return state


def test_a_holder_that_shows_itself_is_named(slept):
    held()
    slept.meanwhile = lambda: put(BEAT, b"alive")
    with pytest.raises(BusyError, match=f"^workdir {URL} is in use by process 7 on elsewhere since now; wait for it"):
        acquired()
    assert slept.seconds == bucket.LOOK_SECONDS


@pytest.mark.parametrize("content", [None, b"\xff unknown", b"", "leaves"])
def test_a_holder_that_does_not_move_is_gone_after_a_while_and_one_that_leaves_at_once(slept, store, content):
    held()
    if content == "leaves":
        slept.meanwhile = lambda: store.pop(PLACE + LOCK)
    elif content is not None:
        put(LOCK, content)
    acquired().check()
    assert slept.seconds == (bucket.LOOK_SECONDS if content == "leaves" else bucket.GONE_SECONDS)
    assert SAID[-1].startswith("waiting up to 90 s to see whether")


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
    first, seconds, stop = acquired(), [], threading.Event()
    first._fs = Counting(first._fs, lambda: seconds.append(acquired([first.token])) if not seconds else None)
    stop.wait = lambda _: bool(seconds)
    with pytest.raises(BusyError):
        first.beat(stop)
    assert PLACE + BEAT in store
    seconds[0].check()
    with pytest.raises(BusyError):
        first.do("pipe_file", "metrics.csv", b"")
