"""Metrics as event files for TensorBoard; sole owner of tensorboardX."""

import contextlib
import importlib.util
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence


def check_installed() -> None:
    """Raises ValueError, saying how to install it, unless tensorboardX is there."""
    if importlib.util.find_spec("tensorboardX") is None:
        raise ValueError("--tensorboard needs tensorboardX: pip install 'memorize_jax[tensorboard]'")


def tag(column: str) -> str:
    """The name of a metric's curve: accuracies are one group of TensorBoard's page."""
    name = column.removesuffix("_accuracy")
    return column if name == column else f"accuracy/{name}"


@contextlib.contextmanager
def event_file(folder: pathlib.Path, rows: Sequence[dict]) -> Iterator[Callable[[dict], None]]:
    """Keeps the event file of a run: it always holds each epoch once, however often training was interrupted.

    What an earlier process wrote is written anew from `rows`, those of metrics.csv so far, for its file may hold epochs
    that are now done again. Yields a function that puts the row of an epoch on disk; NaN, the accuracy of a group
    without examples, has no point. The folder is for the file alone, and made if needed.
    """
    # EventsWriter rather than SummaryWriter, whose thread would wait for ever for a disk that is full.
    from tensorboardX import summary
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]

    folder.mkdir(exist_ok=True)
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    writer = EventsWriter(str(folder / "events"))

    def append(row, ended):
        for column, value in row.items():
            if column != "epoch" and math.isfinite(value):
                scalar = summary.scalar(tag(column), value)
                writer.write_event(Event(wall_time=ended, step=int(row["epoch"]), summary=scalar))

    def add(row):
        append(row, time.time())
        writer.flush()

    try:
        # A TensorBoard that shows this run already takes away what it had.
        writer.write_event(Event(wall_time=time.time(), step=0, session_log=SessionLog(status=SessionLog.START)))
        ended = time.time() - sum(row["seconds"] for row in rows)
        for row in rows:
            ended += row["seconds"]
            append(row, ended)
        writer.flush()
        yield add
    finally:
        writer.close()
