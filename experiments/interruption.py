"""What a termination signal does: an analysis stops at once, training finishes its epoch if there is time."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

import jax

# Of the thirty seconds that most machines leave between the signal and the end, for the rest of an epoch.
GRACE_SECONDS = 15.0


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


@contextlib.contextmanager
def _handling(handler):
    # Of several processes, jax.distributed hands the notice on to all; and only the main thread can have handlers.
    if threading.current_thread() is not threading.main_thread() or jax.distributed.is_initialized():
        yield
        return
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turns SIGTERM into Terminated, so that what is open is closed."""

    def stop(*_):
        raise Terminated

    with _handling(stop):
        yield


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], float | None]]:
    """Holds SIGTERM back until the caller looks.

    Yields:
      a function that says how many seconds are left for tidy work, or None while no signal came.
    """
    asked = []

    def note(*_):
        asked.append(time.monotonic())

    def seconds_left():
        return asked[0] + GRACE_SECONDS - time.monotonic() if asked else None

    with _handling(note):
        yield seconds_left
