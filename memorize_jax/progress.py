"""Progress bars with the numbers in them."""

import sys

from tqdm import tqdm


def bar(description: str, unit: str, total: int, *, done: int = 0) -> tqdm:
    """Makes a progress bar.

    Args:
      description: shown before it.
      unit: what is counted; "" for a bar that is not shown.
      total: how many.
      done: how many were done before.

    Returns:
      A tqdm bar on standard error; in a log file it writes a line every ten seconds rather than many a second.
    """
    seldom = 0.1 if sys.stderr.isatty() else 10.0
    shown = {"mininterval": seldom, "maxinterval": seldom, "disable": not unit}
    return tqdm(total=total, initial=done, desc=description, unit=unit, **shown)
