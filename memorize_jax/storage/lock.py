"""One process at a time works in a run's folder, which holds its own files alone."""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import pathlib
import socket
import sys
from collections.abc import Iterator

from memorize_jax.storage.files import remove_left_behind

NAME = "run.lock"


class BusyError(OSError):
    """Another process works in the folder; the message names it."""


def check_no_links(workdir: pathlib.Path) -> None:
    """Refuses a folder in which something is a link: what is written or removed there must not lie elsewhere.

    The folder may itself be reached by a link, and need not be there.

    Raises:
      ValueError: names the first link.
    """
    if not workdir.is_dir():
        return
    folders = [os.fspath(workdir)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise ValueError(
                        f"{entry.path} is a link; a run's folder must hold its own files: put there what it leads to"
                    )
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
    """Holds the lock of a run's folder, and clears away the temporary files of processes that were killed.

    The kernel holds it for us and lets go when the process ends, however it ends: a file that a killed process left,
    or one whose process number belongs to somebody else by now, is no obstacle. What stands in the file only says
    who to look for.

    Args:
      workdir: the folder; made if needed.

    Yields:
      nothing, while no other process can hold it.

    Raises:
      BusyError: names the other process and its machine.
      ValueError: something in the folder is a link.
      OSError: the file system has no locks.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    check_no_links(workdir)
    path = workdir / NAME
    descriptor = _acquire(path)
    try:
        for folder in (workdir, workdir / "results", workdir / "figures"):
            remove_left_behind(folder)
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


def remove_stale_lock(workdir: pathlib.Path) -> None:
    """Removes what a killed process left in run.lock, its machine and command line; leaves a lock that is held."""
    path = workdir / NAME
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _acquire(path):
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have removed the file between our opening and our locking it.
            if path.exists() and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            message = f"workdir {path.parent} is in use by {_holder(path)}; wait for it or stop it first"
            os.close(descriptor)
            raise BusyError(message) from None
        except BaseException as error:
            os.close(descriptor)
            if getattr(error, "errno", None) in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK):
                path.unlink(missing_ok=True)
                raise OSError(
                    f"workdir {path.parent} is on a file system without locks (flock), so that two commands could "
                    "write there at once; choose a --workdir on another disk"
                ) from error
            raise
        os.close(descriptor)


def _holder(path):
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']} ({holder['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process, which is just starting"
