"""The learning rate of every epoch, when it was lowered because the loss was NaN or infinite."""

import itertools
from collections.abc import Sequence


def rate_stretches(restores: Sequence[dict], rate: float, last: int) -> list[tuple[float, int]]:
    """Cuts a run into stretches of one learning rate.

    Args:
      restores: in the order in which they happened, each with `epoch`, after which `learning_rate` holds; a later one
        overrules those before it.
      rate: the first.
      last: last epoch of the run.

    Returns:
      (learning rate, last epoch trained with it), in order; at least one.
    """

    def rate_of(epoch):
        found = [float(restore["learning_rate"]) for restore in restores if restore["epoch"] < epoch]
        return found[-1] if found else rate

    last = max(last, 1)
    ends = sorted({int(restore["epoch"]) for restore in restores if 1 <= restore["epoch"] < last} | {last})
    return [(value, max(stretch)) for value, stretch in itertools.groupby(ends, rate_of)]
