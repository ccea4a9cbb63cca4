"""Where the metrics of a run go besides metrics.csv, which has all of them: one list of loggers, each by its setting.

A logger is a module: `check_installed()`; `opened(folder, rows, about)`, which brings what is there up to `rows` and
yields a function that takes further ones; `place(folder)`, text that says where it logs, "" if nothing is there; and
`hint(folder, about)`, what its user is told. None may stop the training, or take more than a tenth of its time.
"""

import contextlib
import dataclasses
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence

from memorize_jax.config import RunConfig
from memorize_jax.progress import say, warn
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import Noted
from memorize_jax.storage import mlflow_run, tensorboard, wandb_run
from memorize_jax.storage.curves import About
from memorize_jax.storage.files import read_json, write_json

# Setting of a run -> the logger that it asks for; its files are in the run's folder of that name.
LOGGERS = {"tensorboard": tensorboard, "wandb": wandb_run, "mlflow": mlflow_run}
# A logger waits this many times as long as it last took, and this long after it failed.
SHARE, FAILED_SECONDS = 9, 60.0


def check_installed(config: RunConfig) -> None:
    """Raises ValueError, saying how to install it, if a logger that is asked for is not there."""
    for name, logger in LOGGERS.items():
        if getattr(config, name):
            logger.check_installed()


def about_run(folder: RunFolder, noted: Noted, number: str) -> About:
    """What loggers are told of a run: seeds are called after their ensemble and are one group, as runs of a sweep are.

    `number` is the id under which it is logged.
    """
    place = folder.workdir.resolve()
    is_seed = re.fullmatch(r"seed_\d+", place.name)
    in_group = is_seed or RunFolder(place.parent).sweep.is_file()
    name, group = (f"{place.parent.name}/{place.name}", place.parent.name) if in_group else (place.name, None)
    notes = {"identity": noted.identity, "preset": noted.preset}
    notes = {name: note for name, note in notes.items() if note is not None}
    return About(number, name, group, dataclasses.asdict(noted.config), notes)


@contextlib.contextmanager
def opened_loggers(folder: RunFolder, noted: Noted, rows: Sequence[dict]) -> Iterator[Callable[[dict], None]]:
    """Opens the loggers that a run's configuration asks for, in a folder that is locked for training.

    Yields a function that takes the row of an epoch. What a logger does not take, for it fails, or training was killed,
    it is given later, at the latest when training is started again. `rows` are those of metrics.csv so far.
    """
    wanted = [name for name in LOGGERS if getattr(noted.config, name)]
    if not wanted:
        yield lambda row: None
        return
    # Before anything is opened: whatever kills us, the next start finds what this one has made.
    note = {"id": secrets.token_hex(8), **_read_note(folder)}
    write_json(folder.loggers, note)
    with contextlib.ExitStack() as stack:
        about = about_run(folder, noted, note["id"])
        logs = [stack.enter_context(_Patient(name, folder, about, rows)) for name in wanted]

        def log(row):
            for one in logs:
                one.log(row)

        yield log


class _Patient:
    """One logger of a run in training: opened again after it failed, and never in a hurry."""

    def __init__(self, name, folder, about, rows):
        self.name, self.logger, self.folder, self.about = name, LOGGERS[name], folder, about
        self.files, self.rows, self.count = folder.workdir / name, list(rows), 0
        self.stack, self.add = contextlib.ExitStack(), None
        self.next, self.is_failing, self.has_spoken = 0.0, False, False

    def __enter__(self):
        place = self.logger.place(self.files)
        if place and _read_note(self.folder).get(self.name) == [place, len(self.rows)]:
            self.count = len(self.rows)  # nothing is missing; opened only if there is more
        else:
            self.attempt()
        return self

    def log(self, row):
        self.rows.append(row)
        if time.monotonic() >= self.next:
            self.attempt()

    def attempt(self):
        """Logs all rows that are not logged yet."""
        began, least = time.monotonic(), 0.0
        try:
            if self.add is None:
                opened = self.logger.opened(self.files, list(self.rows), self.about)
                self.add = self.stack.enter_context(opened)
                self.speak()
                began = time.monotonic()  # it is opened once
            else:
                self.add(*self.rows[self.count :])
            self.count, self.is_failing = len(self.rows), False
        except Exception as error:  # libraries and networks fail in any way
            self.fail(error)
            self.close(error)
            least = FAILED_SECONDS
        now = time.monotonic()
        self.next = now + max(least, SHARE * (now - began))

    def speak(self):
        if not self.has_spoken and (hint := self.logger.hint(self.files, self.about)):
            say(hint)
        self.has_spoken = True

    def fail(self, error):
        if not self.is_failing:
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            reason = " ".join(f"{kind}{error}".split())
            warn(f"{self.name}: {reason:.300}; training goes on, and {self.name} is given later what it lacks")
        self.is_failing = True

    def close(self, error=None):
        """Leaves the logger, with the error that ended the training or its own; returns whether it could be left."""
        self.add, held = None, self.stack.pop_all()
        try:
            held.__exit__(type(error) if error else None, error, error and error.__traceback__)
        except Exception as own:
            if own is not error:
                self.fail(own)
                return False
        return True

    def __exit__(self, kind, error, traceback):
        # A process that is to end has no time for a logger that fails.
        if self.count < len(self.rows) and not (error and self.is_failing):
            self.attempt()
        is_whole = self.close(error) and self.count == len(self.rows)
        if not is_whole:
            warn(f"{self.name} lacks epochs, which metrics.csv has; the same command logs them")
        elif self.folder.config.is_file() and (place := self.logger.place(self.files)):
            write_json(self.folder.loggers, {**_read_note(self.folder), self.name: [place, self.count]})


def _read_note(folder):
    """Under which id a run is logged, and by logger where, and how many epochs; empty before it is logged."""
    return read_json(folder.loggers)[0] if folder.loggers.is_file() else {}
