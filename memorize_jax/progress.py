"""What is said on standard error while something runs: progress bars with numbers in them, and warnings."""

import sys

from tqdm import tqdm


def bar(description: str, unit: str, total: int | None, *, done: int = 0) -> tqdm:
    """Makes a progress bar; with the unit "", one that is not shown. In a log file it writes every ten seconds."""
    seldom = 0.1 if sys.stderr.isatty() else 10.0
    shown = {"mininterval": seldom, "maxinterval": seldom, "disable": not unit}
    return tqdm(total=total, initial=done, desc=description, unit=unit, **shown)


def warn(text: str) -> None:
    """Writes a warning."""
    print(f"warning: {text}", file=sys.stderr)


def say(text: str) -> None:
    """Writes a line that the reader may want to know."""
    print(text, file=sys.stderr)
