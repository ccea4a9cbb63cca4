import json
import re

import fsspec
import pytest

from memorize_jax.locks import BusyError
from memorize_jax.mirror import lease as leases
from memorize_jax.mirror.bucket import open_bucket, read_file, write_file

SAID = []


@pytest.fixture
def bucket():
    yield open_bucket("memory://bucket/run")
    fsspec.filesystem("memory").store.clear()


def acquire(bucket, folder, sleep=lambda seconds: None):
    return leases.acquire(bucket, folder, say=SAID.append, sleep=sleep)


def other_machine(bucket, **changed):
    """Makes the present holder one on another machine."""
    holder = json.loads(read_file(bucket, leases.NAME)) | {"host": "elsewhere", "pid": 7} | changed
    write_file(bucket, leases.NAME, json.dumps(holder).encode())


def test_the_first_has_it_until_it_gives_it_back(bucket):
    lease = acquire(bucket, "a")
    leases.check(lease)
    leases.beat(lease)
    leases.release(lease)
    assert read_file(bucket, leases.NAME) is None
    leases.release(lease)


def test_a_holder_that_shows_itself_is_named(bucket):
    lease = acquire(bucket, "a")
    other_machine(bucket)
    with pytest.raises(
        BusyError, match=r"memory://bucket/run is in use by process 7 on elsewhere since \d{4}-"
    ) as error:
        acquire(bucket, "b", sleep=lambda seconds: other_machine(bucket, beat=lease.holder["beat"] + 1))
    assert "\n" not in str(error.value)


def test_a_holder_that_does_not_move_is_gone_after_a_while(bucket):
    acquire(bucket, "a")
    other_machine(bucket)
    slept = []
    lease = acquire(bucket, "b", sleep=slept.append)
    leases.check(lease)
    assert sum(slept) == leases.GONE_SECONDS + leases.SETTLE_SECONDS
    assert re.search("waiting up to 90 s to see whether process 7 on elsewhere", SAID[-1])


def test_the_holder_of_the_same_folder_on_this_machine_is_gone_for_sure(bucket):
    acquire(bucket, "a")
    slept = []
    leases.check(acquire(bucket, "a", sleep=slept.append))
    assert slept == [leases.SETTLE_SECONDS]
    # A copy of its disk on another machine is not.
    other_machine(bucket)
    with pytest.raises(BusyError):
        acquire(bucket, "a", sleep=lambda seconds: other_machine(bucket, beat=9))


def test_who_loses_it_notices_and_does_not_take_it_away_again(bucket):
    lease = acquire(bucket, "a")
    winner = acquire(bucket, "a")
    for act in (leases.check, leases.beat):
        with pytest.raises(BusyError, match=r"is in use by process .* now; nothing more is written there"):
            act(lease)
    leases.release(lease)
    leases.check(winner)
    leases.release(winner)
    with pytest.raises(BusyError, match="has lost its lock"):
        leases.check(winner)


def test_of_two_that_take_over_at_once_one_remains(bucket):
    acquire(bucket, "a")
    second = []

    def overtaken(seconds):
        if not second:
            second.append(None)
            second[0] = acquire(bucket, "a")

    with pytest.raises(BusyError):
        acquire(bucket, "a", sleep=overtaken)
    leases.check(second[0])


def test_a_lock_of_unknown_content_is_waited_for_too(bucket):
    write_file(bucket, leases.NAME, b"\xff not json")
    leases.check(acquire(bucket, "a"))
