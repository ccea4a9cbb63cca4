"""One process at a time works in a run's folder, which holds its own files alone; sole owner of filelock."""

import contextlib
import datetime
import errno
import json
import os
import pathlib
import socket
import sys
from collections.abc import Iterator

from filelock import FileLock, Timeout

from memorize_jax.storage.files import remove_left_behind, write_text

# Windows lets nobody read a locked file: who holds the lock stands in another one.
LOCK, HOLDER = "run.lock", "run.holder.json"
# W&B makes this link to its own log, and we remove it; a process that is killed in between leaves it.
PASSED = "debug-core.log"
# Its holder may have removed the file between our opening and our locking it.
WAIT_SECONDS = 0.1


class BusyError(OSError):
    """Another process works in the folder; the message names it."""


def check_no_links(workdir: pathlib.Path) -> None:
    """Raises ValueError for the first link in a folder: what is written or removed there must not lie elsewhere.

    The folder may itself be reached by a link, and need not be there.
    """
    folders = [os.fspath(workdir)] if workdir.is_dir() else []
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink() and entry.name != PASSED:
                    own = "a run's folder must hold its own files: put there what it leads to"
                    raise ValueError(f"{entry.path} is a link; {own}")
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
    """Holds the lock of a folder, which is made if needed, and removes the temporary files of killed processes.

    The kernel holds it for us and lets go when the process ends, however it ends: files that a killed process left are
    no obstacle. Raises BusyError, ValueError if something in the folder is a link, or OSError without locks.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    check_no_links(workdir)
    with _held(workdir):
        for folder in (workdir, workdir / "results", workdir / "figures"):
            remove_left_behind(folder)
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "command": " ".join(sys.argv)}
        write_text(workdir / HOLDER, json.dumps(holder))
        yield


def remove_stale_lock(workdir: pathlib.Path) -> None:
    """Removes what a killed process left, its machine and command line; leaves a lock that is held."""
    if (workdir / LOCK).exists():
        with contextlib.suppress(OSError), _held(workdir):
            pass


@contextlib.contextmanager
def _held(workdir):
    path, lock = workdir / LOCK, FileLock(workdir / LOCK, fallback_to_soft=False)
    try:
        lock.acquire(timeout=WAIT_SECONDS)
    except Timeout:
        raise BusyError(f"workdir {workdir} is in use by {_holder(workdir)}; wait for it or stop it first") from None
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK):
            raise
        path.unlink(missing_ok=True)
        what = "is on a file system without locks (flock), so that two commands could write there at once"
        raise OSError(f"workdir {workdir} {what}; choose a --workdir on another disk") from error
    try:
        yield
    finally:
        # Before letting go, so that nobody can hold a file that has no name.
        (workdir / HOLDER).unlink(missing_ok=True)
        with contextlib.suppress(PermissionError):  # Windows: removed by the lock when it lets go
            path.unlink(missing_ok=True)
        lock.release()


def _holder(workdir):
    try:
        holder = json.loads((workdir / HOLDER).read_bytes())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']} ({holder['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process, which is just starting"
