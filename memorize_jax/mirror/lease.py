"""One machine at a time works on a run in a bucket: a file that its holder keeps changing."""

import datetime
import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from memorize_jax.locks import BusyError
from memorize_jax.mirror.bucket import Bucket, create_file, read_file, remove_file, write_file

NAME = ".mirror.lock"
# A holder shows itself this often; one that has not for so long is gone.
BEAT_SECONDS, GONE_SECONDS = 20.0, 90.0
LOOK_SECONDS = 5.0
# Of two that take over from the same holder, the first looks again after the second has written.
SETTLE_SECONDS = 2.0


class Lease(NamedTuple):
    """The right to write.

    Attributes:
      bucket: to which.
      token: of this process.
      holder: what the file says.
    """

    bucket: Bucket
    token: str
    holder: dict


def acquire(
    bucket: Bucket, folder: str, *, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> Lease:
    """Gets the right to write, if need be after seeing that its holder is gone.

    No clocks are compared: a holder is gone if the file stays the same for `GONE_SECONDS` of ours.

    Args:
      bucket: which.
      folder: name of the local folder, whose own lock is held: a holder of the same folder on this machine
        is gone for sure.
      say: takes a line for the person who waits.
      sleep: waits.

    Returns:
      Lease.

    Raises:
      BusyError: another machine works there; names it.
      BucketError: the bucket is lost.
    """
    holder = {
        "token": uuid.uuid4().hex,
        "folder": folder,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "beat": 0,
    }
    lease = Lease(bucket, holder["token"], holder)
    seen, waited = None, 0.0
    while not create_file(bucket, NAME, _content(holder)):
        before, seen = seen, read_file(bucket, NAME)
        if seen is None:
            continue
        if before is not None and seen != before:
            raise BusyError(f"workdir {bucket.url} is in use by {_described(seen)}; wait for it or stop it first")
        # A disk that was copied to another machine has the same name.
        is_ours = (_read(seen).get("folder"), _read(seen).get("host")) == (folder, holder["host"])
        if is_ours or waited >= GONE_SECONDS:
            _take_over(lease, sleep)
            break
        if before is None:
            who = _described(seen)
            say(f"waiting up to {GONE_SECONDS:.0f} s to see whether {who} still works on {bucket.url}")
        sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS
    return lease


def _take_over(lease, sleep):
    write_file(lease.bucket, NAME, _content(lease.holder))
    sleep(SETTLE_SECONDS)
    check(lease)


def check(lease: Lease) -> None:
    """Raises BusyError if the right to write has gone to another machine."""
    content = read_file(lease.bucket, NAME)
    if content is None or _read(content).get("token") != lease.token:
        by = f"is in use by {_described(content)} now" if content is not None else "has lost its lock"
        raise BusyError(f"workdir {lease.bucket.url} {by}; nothing more is written there")


def beat(lease: Lease) -> None:
    """Shows that the holder is there; raises BusyError if it is not the holder any more."""
    check(lease)
    lease.holder["beat"] += 1
    write_file(lease.bucket, NAME, _content(lease.holder))


def release(lease: Lease) -> None:
    """Gives the right back, if it was not lost."""
    content = read_file(lease.bucket, NAME)
    if content is not None and _read(content).get("token") == lease.token:
        remove_file(lease.bucket, NAME)


def _content(holder):
    return json.dumps(holder).encode()


def _read(content):
    try:
        read = json.loads(content)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _described(content):
    holder = _read(content)
    return f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
