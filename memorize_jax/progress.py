"""What is said on standard error while something runs: progress bars with numbers in them, and warnings."""

import multiprocessing
import sys
import threading

from tqdm.auto import tqdm


def bar(description: str, unit: str, total: int | None, *, done: int = 0) -> tqdm:
    """Makes a progress bar, in a notebook one of its own; with the unit "", one that is not shown.

    In a log file it writes every ten seconds.
    """
    if _is_second():
        # tqdm's own is one for several processes, which stays behind when this one is killed.
        tqdm.set_lock(threading.RLock())
    seldom = 0.1 if sys.stderr.isatty() or "ipykernel" in sys.modules else 10.0
    shown = {"mininterval": seldom, "maxinterval": seldom, "disable": not unit or _is_second()}
    return tqdm(total=total, initial=done, desc=description, unit=unit, **shown)


def _is_second():
    """Whether another process of ours has started this one, and shows how far it is."""
    return multiprocessing.parent_process() is not None


def warn(text: str) -> None:
    """Writes a warning."""
    print(f"warning: {text}", file=sys.stderr)


def say(text: str) -> None:
    """Writes a line that the reader may want to know."""
    print(text, file=sys.stderr)
