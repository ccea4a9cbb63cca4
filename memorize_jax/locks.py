"""One process at a time works in a run's folder."""

import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import socket
import sys
from collections.abc import Iterator


class BusyError(OSError):
    """Another process works in the folder; the message names it."""


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
    """Holds the lock of a run's folder.

    The kernel holds it for us and lets go when the process ends, however it ends: a file that a killed process left,
    or one whose process number belongs to somebody else by now, is no obstacle. What stands in the file only says
    who to look for.

    Args:
      workdir: the folder; made if needed.

    Yields:
      nothing, while no other process can hold it.

    Raises:
      BusyError: names the other process and its machine.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / "run.lock"
    descriptor = _acquire(path)
    try:
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": " ".join(sys.argv),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        # Before letting go, so that nobody can hold a file that has no name.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path):
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have removed the file between our opening and our locking it.
            if path.exists() and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            message = f"workdir {path.parent} is in use by {_holder(path)}; wait for it or stop it first"
            os.close(descriptor)
            raise BusyError(message) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _holder(path):
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']} ({holder['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process, which is just starting"
