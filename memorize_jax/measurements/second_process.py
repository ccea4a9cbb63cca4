"""A second process that measures units of work ahead of the first, on cores that would otherwise wait.

The first process goes through the measurements of a study in order, and alone writes anything. The second goes through
the same units from the other end and hands over their rows. A unit is claimed by one of the two; what the second cannot
do, for whatever reason, the first does itself. While the network still trains, the second goes through a unit of every
measurement with the epochs that there are, for what is compiled by that: jax keeps it on disk.
"""

import contextlib
import functools
import io
import multiprocessing
import os
import pathlib
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from memorize_jax.compilation import kept_compiled
from memorize_jax.config import Settings
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.run import Run, open_run
from memorize_jax.threads import one_thread

# Units of a measurement that are shared; the first process does what comes after them.
MOST_UNITS = 4096
# Epochs that a run should have before what will be measured is gone through, and how often that is looked up.
LEAST_EPOCHS, WAIT_SECONDS = 3, 0.3
TRAINED = "trained"


class Room(NamedTuple):
    """What is to be measured of which run: the measurement's name, the run's folder, the settings of its parts."""

    measurement: str
    workdir: pathlib.Path
    settings: Sequence[Settings]


class SecondProcess(NamedTuple):
    """The second process, as the first knows it.

    Attributes:
      rooms: number of each measurement of a run: (measurement, folder) -> number.
      claims: folder with an empty file for each unit that one of the processes has begun with, and `TRAINED` once the
        last epoch is stored. To make a file that is not there is one step, and a killed process holds no lock.
      answers: gives (number of a unit, its rows, what was said on standard error).
      found: answers that were not asked for yet.
    """

    rooms: dict[tuple[str, pathlib.Path], int]
    claims: pathlib.Path
    answers: Any  # one end of a pipe, of a class of its own on Windows
    found: dict[int, tuple[list[dict] | None, str]]


@contextlib.contextmanager
def second_process(rooms: Sequence[Room]) -> Iterator[SecondProcess]:
    """Starts the second process for these measurements, in the order of the first; it ends with the `with`.

    It hands out nothing before `is_trained` is called.
    """
    # A fork would have locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    claims = pathlib.Path(tempfile.mkdtemp(prefix="memorize_jax_"))
    answers, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(list(rooms), claims, theirs), daemon=True)
    process.start()
    # So that its end is the end of what can be read.
    theirs.close()
    numbers = {(room.measurement, room.workdir): number for number, room in enumerate(rooms)}
    try:
        yield SecondProcess(numbers, claims, answers, {})
    finally:
        process.kill()
        process.join()
        answers.close()
        shutil.rmtree(claims, ignore_errors=True)


def is_trained(second: SecondProcess) -> None:
    """Lets the second process begin with what is to be measured."""
    (second.claims / TRAINED).touch()


def take(second: SecondProcess, measurement: str, workdir: pathlib.Path, position: int) -> list[dict] | None:
    """Claims a unit, by its position among those of its measurement, or waits for its rows.

    None: the caller has to measure it.
    """
    number = second.rooms.get((measurement, workdir))
    if number is None or position >= MOST_UNITS or _claim(second.claims, unit := number * MOST_UNITS + position):
        return None
    while unit not in second.found:
        try:
            other, rows, said = second.answers.recv()
        except (EOFError, OSError):
            return None
        second.found[other] = rows, said
    rows, said = second.found.pop(unit)
    sys.stderr.write(said)
    return rows


def _claim(claims, unit) -> bool:
    try:
        (claims / str(unit)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _work(rooms, claims, answers):
    """What the second process does."""
    # The first is interrupted by the same key, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(claims,), daemon=True).start()
    send = _sender(answers)
    with kept_compiled():
        _rehearse(rooms, trained := claims / TRAINED)
        while not trained.exists():
            time.sleep(WAIT_SECONDS)
        opened = functools.lru_cache(maxsize=1)(open_run)
        for number, room in reversed(list(enumerate(rooms))):
            with _quiet(), contextlib.suppress(Exception):
                work = _plan(room, opened)
                for position in reversed(range(min(len(work.units), MOST_UNITS))):
                    unit = number * MOST_UNITS + position
                    if _claim(claims, unit):
                        send((unit, *_rows(work, work.units[position])))
    # What has not been read yet would be lost with the process.
    threading.Event().wait()


def _rehearse(rooms, trained):
    """Compiles what the measurements will need, by going through a unit of each; what comes out is of no interest."""
    folders = {room.workdir for room in rooms}
    while not any(len(stored_rows(RunFolder(folder))) >= LEAST_EPOCHS for folder in folders):
        if trained.exists():
            return
        time.sleep(WAIT_SECONDS)
    done, opened = set(), functools.lru_cache(maxsize=1)(open_run)
    for room in rooms:
        if trained.exists():
            return
        if room.measurement not in done and len(stored_rows(RunFolder(room.workdir))) >= LEAST_EPOCHS:
            done.add(room.measurement)
            with _quiet(), contextlib.suppress(Exception):
                work = _plan(room, opened)
                _rows(work, work.units[-1])


def _plan(room: Room, opened: Callable[[pathlib.Path], Run]) -> Work:
    make: Callable[..., Work] | None = get_measurement(room.measurement).plan
    if make is None:
        raise ValueError(f"expected a measurement that a command makes, got {room.measurement}")
    return make(opened(room.workdir), *room.settings)


def _rows(work, unit):
    """The rows of a unit, None if there is an error, which the first process will meet itself; what was said."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            with one_thread():
                return work.rows(unit), said.getvalue()
        except Exception:
            return None, ""


def _quiet():
    return contextlib.redirect_stderr(io.StringIO())


def _sender(connection) -> Callable[[tuple], None]:
    """Sends from a thread of its own: a pipe is full until the first process reads."""
    waiting: queue.SimpleQueue = queue.SimpleQueue()

    def send():
        with contextlib.suppress(OSError):
            while True:
                connection.send(waiting.get())

    threading.Thread(target=send, daemon=True).start()
    return waiting.put


def _end_with_parent(claims):
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(claims, ignore_errors=True)
        os._exit(1)
