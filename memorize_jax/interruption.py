"""Ctrl-C and SIGTERM: an analysis stops at once, training finishes its epoch if there is time.

A handler runs wherever the main thread happens to be. What it raises in a destructor or in a callback of the garbage
collector is dropped, and while compiled code works no handler runs at all; so a thread beside the main one makes sure
that a signal ends the process nevertheless.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator

# Of the thirty seconds that most machines leave between the signal and the end, for the rest of an epoch.
GRACE_SECONDS = 15.0
# Then, or at once in an analysis, compiled code that does not come to an end is given so long.
DEAF_SECONDS = 5.0
# From the second Ctrl-C to the end, whatever is still being written.
SECOND_SECONDS = 4.0
# What the watching thread is told besides the numbers of signals.
_DROPPED, _DONE = 0, 255


class Interrupted(KeyboardInterrupt):
    """Ctrl-C."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


ERRORS: dict[int, type[KeyboardInterrupt]] = {signal.SIGINT: Interrupted, signal.SIGTERM: Terminated}


def end(number: int, *_) -> None:
    """Ends the process as a signal asks, with one line and the usual exit code; files that are open are not closed."""
    # Not through sys.stderr, which the main thread may hold.
    os.write(2, f"{ERRORS[number].__name__}. Progress is saved; rerun the same command to resume.\n".encode())
    os._exit(128 + number)


def leave(error: KeyboardInterrupt) -> None:
    """Ends the process because of a signal, after everything was closed."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    # An orderly exit can crash in the threads of an interrupted compilation.
    end(signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


def end_at_once() -> None:
    """Has signals end the process until `terminable`: while modules are imported there is nothing to close."""
    _handle(end)


def _handle(handler):
    # A shell has its background ignore Ctrl-C.
    heard = [number for number in ERRORS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heard}


class _Signals:
    """The handler of both signals, and the thread that makes sure of it."""

    def __init__(self):
        # Whether SIGTERM is only noted, when it was, and for which signal an exception was raised.
        self.deferring, self.asked, self.number = False, None, 0
        self._is_heard, self._error = False, None

    def __call__(self, number, _):
        self._is_heard = True
        if self.deferring and number == signal.SIGTERM:
            self.asked = self.asked or time.monotonic()
        elif self._error is None or self._error() is None:
            # Not while an earlier exception is on its way: what that closes is not disturbed.
            self.number = number
            raise self._made(ERRORS[number]())

    def _made(self, error):
        # Nobody keeps an exception that was dropped.
        self._error = weakref.ref(error, lambda _: self._tell.send(bytes([_DROPPED])))
        return error

    def seconds_left(self) -> float | None:
        """Seconds for tidy work; None while no signal was noted."""
        return None if self.asked is None else self.asked + GRACE_SECONDS - time.monotonic()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Has a thread learn of every signal."""
        told, self._tell = socket.socketpair()
        self._tell.setblocking(False)
        before = signal.set_wakeup_fd(self._tell.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(target=self._watch, args=(told,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            self._error = None
            self._tell.send(bytes([_DONE]))
            thread.join()
            self._tell.close()
            told.close()

    def _watch(self, told):
        interrupts, repeated, deadline = 0, 0, None
        while True:
            told.settimeout(None if deadline is None else max(deadline - time.monotonic(), 1e-3))
            try:
                numbers = told.recv(64)
            except TimeoutError:
                if interrupts > 1 or not self._is_heard:
                    end(signal.SIGINT if interrupts else signal.SIGTERM)
                deadline, numbers = None, b""
            for number in numbers:
                if number == _DONE:
                    return
                if number == _DROPPED:
                    time.sleep(0.02)
                    repeated += 1
                    signal.pthread_kill(threading.main_thread().ident or 0, self.number)
                elif repeated and number == self.number:
                    repeated -= 1
                elif number in ERRORS:
                    interrupts += number == signal.SIGINT
                    wait = DEAF_SECONDS + GRACE_SECONDS * self.deferring if interrupts < 2 else SECOND_SECONDS
                    deadline = min(deadline or float("inf"), time.monotonic() + wait)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turns Ctrl-C into Interrupted and SIGTERM into Terminated, so that what is open is closed; neither is lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = _Signals()
    show = sys.unraisablehook
    sys.unraisablehook = lambda args: None if isinstance(args.exc_value, tuple(ERRORS.values())) else show(args)
    with signals.watched():
        before = _handle(signals)
        try:
            yield
        except (RuntimeError, ValueError) as error:
            # What compiled code made of the exception that it met; a disk or a bucket has something to say of its own.
            if signals.number:
                raise ERRORS[signals.number] from error
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = show


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], float | None]]:
    """Holds SIGTERM back until the caller looks, or leaves; yields `seconds_left`, see `_Signals`."""
    import jax

    signals = signal.getsignal(signal.SIGTERM)
    with contextlib.ExitStack() as stack:
        if not isinstance(signals, _Signals):
            signals = _Signals()
            # Of several processes, jax.distributed hands the notice on to all; and only the main thread has handlers.
            if threading.current_thread() is threading.main_thread() and not jax.distributed.is_initialized():
                stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, signals))
        signals.deferring = True
        stack.callback(setattr, signals, "deferring", False)
        yield signals.seconds_left
        if signals.asked is not None:
            raise Terminated
