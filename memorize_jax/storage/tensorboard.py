"""Metrics as event files for TensorBoard; sole owner of tensorboardX."""

import contextlib
import importlib.util
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence

from memorize_jax.storage.curves import About, ended, points


def check_installed() -> None:
    """Raises ValueError, saying how to install it, unless tensorboardX is there."""
    if importlib.util.find_spec("tensorboardX") is None:
        raise ValueError("--tensorboard needs tensorboardX: pip install 'memorize_jax[tensorboard]'")


def place(folder: pathlib.Path) -> str:
    """Nowhere that is known to be whole: the event file is written anew whenever training starts."""
    return ""


def hint(folder: pathlib.Path, about: About) -> str:
    """Nothing has to be said."""
    return ""


@contextlib.contextmanager
def opened(folder: pathlib.Path, rows: Sequence[dict], about: About) -> Iterator[Callable[..., None]]:
    """Keeps the event file of a run: it always holds each epoch once, however often training was interrupted.

    What an earlier process wrote is written anew from `rows`, those of metrics.csv so far, for its file may hold epochs
    that are now done again. Yields a function that puts the rows of further epochs on disk. The folder is for the file
    alone, and made if needed.
    """
    # EventsWriter rather than SummaryWriter, whose thread would wait for ever for a disk that is full.
    from tensorboardX import summary
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]

    folder.mkdir(exist_ok=True)
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    writer = EventsWriter(str(folder / "events"))

    def add(*rows):
        for row, moment in zip(rows, ended(rows), strict=True):
            for curve, value in points(row).items():
                scalar = summary.scalar(curve, value)
                writer.write_event(Event(wall_time=moment, step=int(row["epoch"]), summary=scalar))
        writer.flush()

    try:
        # A TensorBoard that shows this run already takes away what it had.
        writer.write_event(Event(wall_time=time.time(), step=0, session_log=SessionLog(status=SessionLog.START)))
        add(*rows)
        yield add
    finally:
        writer.close()
