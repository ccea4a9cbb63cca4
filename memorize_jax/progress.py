"""What is said on standard error while something runs: progress bars with numbers in them, and warnings."""

import sys

from tqdm.auto import tqdm


def bar(description: str, unit: str, total: int | None, *, done: int = 0) -> tqdm:
    """Makes a progress bar, in a notebook one of its own; with the unit "", one that is not shown.

    In a log file it writes every ten seconds.
    """
    is_watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    seldom = 0.1 if is_watched else 10.0
    shown = {"mininterval": seldom, "maxinterval": seldom, "disable": not unit}
    return tqdm(total=total, initial=done, desc=description, unit=unit, **shown)


def warn(text: str) -> None:
    """Writes a warning."""
    print(f"warning: {text}", file=sys.stderr)


def say(text: str) -> None:
    """Writes a line that the reader may want to know."""
    print(text, file=sys.stderr)
