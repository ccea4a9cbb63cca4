"""A second process that works ahead of the first, on cores that would otherwise wait.

The first process goes through the measurements of a study in order, and alone writes anything. The second goes through
the same units from the other end and hands over their rows. A unit is claimed by one of the two; what the second cannot
do, for whatever reason, the first does itself. While the network still trains, the second goes through a unit of every
measurement with the epochs that there are, for what is compiled by that: jax keeps it on disk. When all is measured,
jobs are shared in the same way, such as the drawing of figures.
"""

import contextlib
import functools
import gc
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
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
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
LEAST_EPOCHS, WAIT_SECONDS = 3, 0.1
# What the first process tells: that the last epoch is stored, and that all tables are there.
TRAINED, MEASURED = "trained", "measured"


class Room(NamedTuple):
    """What is to be measured of which run: the measurement's name, the run's folder, the settings of its parts."""

    measurement: str
    workdir: pathlib.Path
    settings: Sequence[Settings]


class Job(NamedTuple):
    """What may be done once all is measured: a function of a module, and its arguments; all can be pickled."""

    function: Callable
    arguments: tuple


class SecondProcess(NamedTuple):
    """The second process, as the first knows it.

    Attributes:
      rooms: (measurement, folder of a run) -> number of its first unit.
      jobs: name of a job -> its number, in the same sequence.
      claims: folder with an empty file for each unit and job that one of the processes has begun with, and for what the
        first has told. To make a file that is not there is one step, and a killed process holds no lock.
      answers: gives (number of a unit or job, what came out, what was said on standard error).
      found: answers that were not asked for yet.
    """

    rooms: dict[tuple[str, pathlib.Path], int]
    jobs: dict[Hashable, int]
    claims: pathlib.Path
    answers: Any  # one end of a pipe, of a class of its own on Windows
    found: dict[int, tuple[Any, str]]


@contextlib.contextmanager
def second_process(rooms: Sequence[Room], jobs: Mapping[Any, Job] | None = None) -> Iterator[SecondProcess]:
    """Starts the second process for these measurements and jobs, in the order of the first; it ends with the `with`.

    It hands out nothing of the measurements before it is told `TRAINED`, nor of the jobs before `MEASURED`.
    """
    jobs = jobs or {}
    # A fork would have locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    claims = pathlib.Path(tempfile.mkdtemp(prefix="memorize_jax_"))
    answers, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(list(rooms), list(jobs.values()), claims, theirs), daemon=True)
    process.start()
    # So that its end is the end of what can be read.
    theirs.close()
    of_rooms = {(room.measurement, room.workdir): number * MOST_UNITS for number, room in enumerate(rooms)}
    of_jobs = {name: len(rooms) * MOST_UNITS + number for number, name in enumerate(jobs)}
    try:
        yield SecondProcess(of_rooms, of_jobs, claims, answers, {})
    finally:
        process.kill()
        process.join()
        answers.close()
        shutil.rmtree(claims, ignore_errors=True)


def tell(second: SecondProcess, what: str) -> None:
    """Lets the second process begin with what comes after `TRAINED` or `MEASURED`."""
    (second.claims / what).touch()


def take(second: SecondProcess, measurement: str, workdir: pathlib.Path, position: int) -> list[dict] | None:
    """Claims a unit, by its position among those of its measurement, or waits for its rows.

    None: the caller has to measure it.
    """
    first = second.rooms.get((measurement, workdir))
    return None if first is None or position >= MOST_UNITS else _take(second, first + position)


def take_job(second: SecondProcess, name: Hashable) -> Any:
    """Claims a job, or waits for what comes out. None: the caller has to do it."""
    number = second.jobs.get(name)
    return None if number is None else _take(second, number)


def _take(second, number):
    if _claim(second.claims, number):
        return None
    while number not in second.found:
        try:
            other, result, said = second.answers.recv()
        except (EOFError, OSError):
            return None
        second.found[other] = result, said
    result, said = second.found.pop(number)
    sys.stderr.write(said)
    return result


def _claim(claims, number) -> bool:
    try:
        (claims / str(number)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _work(rooms, jobs, claims, answers):
    """What the second process does."""
    # The first is interrupted by the same key, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(claims,), daemon=True).start()
    send = _sender(answers)
    with kept_compiled():
        _rehearse(rooms, claims / TRAINED)
        # Modules and programs stay for as long as the process: the collector need not look through them again.
        gc.freeze()
        _await(claims / TRAINED)
        opened = functools.lru_cache(maxsize=1)(open_run)
        for number, room in reversed(list(enumerate(rooms))):
            with _quiet(), contextlib.suppress(Exception):
                work = _plan(room, opened)
                for position in reversed(range(min(len(work.units), MOST_UNITS))):
                    unit = number * MOST_UNITS + position
                    if _claim(claims, unit):
                        send((unit, *_told(work.rows, work.units[position])))
        _await(claims / MEASURED)
        for number, job in reversed(list(enumerate(jobs, start=len(rooms) * MOST_UNITS))):
            if _claim(claims, number):
                send((number, *_told(job.function, *job.arguments)))
    # What has not been read yet would be lost with the process.
    threading.Event().wait()


def _await(told):
    while not told.exists():
        time.sleep(WAIT_SECONDS)


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
        # What takes rows of others has few programs of its own; now it would run those of the others once more.
        done.update([room.measurement] if get_measurement(room.measurement).takes_rows_of else [])
        if room.measurement not in done and len(stored_rows(RunFolder(room.workdir))) >= LEAST_EPOCHS:
            done.add(room.measurement)
            with _quiet(), contextlib.suppress(Exception):
                work = _plan(room, opened)
                _told(work.rows, work.units[-1])


def _plan(room: Room, opened: Callable[[pathlib.Path], Run]) -> Work:
    make: Callable[..., Work] | None = get_measurement(room.measurement).plan
    if make is None:
        raise ValueError(f"expected a measurement that a command makes, got {room.measurement}")
    return make(opened(room.workdir), *room.settings)


def _told(function, *arguments):
    """What comes out, None if that is an error, which the first process will meet itself; and what was said."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            with one_thread():
                return function(*arguments), said.getvalue()
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
