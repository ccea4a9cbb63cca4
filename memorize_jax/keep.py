"""Which epochs' networks stay on disk."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

EXPECTED = "all, every:K with K >= 1, log, or best,last"


class Kept(NamedTuple):
    """Epochs that stay on disk.

    Attributes:
      snapshots: by `keep`; in its own precision.
      full: the best and the last, always in full precision.
    """

    snapshots: frozenset[int]
    full: frozenset[int]


def check_keep(keep: str) -> None:
    """Raises ValueError unless `keep` is a choice of epochs that `kept_epochs` knows."""
    if keep not in ("all", "log", "best,last") and not re.fullmatch(r"every:0*[1-9]\d*", keep):
        raise ValueError(f"expected keep to be {EXPECTED}, got {keep!r}")


def kept_epochs(keep: str, test_accuracies: Sequence[float]) -> Kept:
    """Says which networks are kept.

    Args:
      keep: "all"; "every:K": 0, K, 2K, ...; "log": 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ...; or "best,last": no others.
      test_accuracies: of the epochs 0 .. last.

    Returns:
      Kept; the best epoch is the first of those with the highest test accuracy.
    """
    last = len(test_accuracies) - 1
    best = int(np.nanargmax(test_accuracies)) if np.isfinite(test_accuracies).any() else last
    return Kept(frozenset(snapshots(keep, last)), frozenset({best, last}))


def snapshots(keep: str, last: int) -> Sequence[int]:
    """The epochs of 0 .. `last` whose networks are kept besides the best and the last; a range where there are many."""
    if keep == "log":
        powers = [2**power for power in range(last.bit_length())]
        return sorted(epoch for epoch in {0, *powers, *(power + power // 2 for power in powers)} if epoch <= last)
    if keep == "best,last":
        return ()
    return range(0, last + 1, 1 if keep == "all" else int(keep.removeprefix("every:")))
