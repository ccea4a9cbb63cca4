"""Which epochs of a run the paper looks at."""

from collections.abc import Collection

import pandas as pd

from memorize_jax.keep import kept_epochs
from memorize_jax.stages import best_epoch, final_epoch

WORDS = ("best", "final", "all", "log")


def select_epochs(spec: str, metrics: pd.DataFrame, kept: Collection[int] | None = None) -> list[int]:
    """Reads a choice of epochs.

    Args:
      spec: comma-separated epoch numbers and the words best, final, all, and log: 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ...
      metrics: table of the run.
      kept: epochs whose networks the run keeps, which all and log choose from; None for every epoch.

    Returns:
      epoch numbers in increasing order, each once.

    Raises:
      ValueError: an unknown word, or an epoch the run does not have.
    """
    words = {
        "best": lambda: [best_epoch(metrics)],
        "final": lambda: [final_epoch(metrics)],
        "all": lambda: there,
        "log": lambda: kept_epochs("log", metrics["test_accuracy"].tolist()).snapshots.intersection(there),
    }
    there = metrics["epoch"].tolist() if kept is None else kept
    chosen = set()
    for item in spec.split(","):
        item = item.strip()
        if item in words:
            chosen.update(words[item]())
        elif item.isdecimal() and int(item) in set(metrics["epoch"]):
            chosen.add(int(item))
        else:
            raise ValueError(
                f"expected epochs to be numbers between 0 and {final_epoch(metrics)} "
                f"or {', '.join(WORDS)}, got {item!r}"
            )
    return sorted(chosen)


def check_epochs(name: str, spec: str) -> None:
    """Raises ValueError unless every item of `spec` is a number or one of `WORDS`; needs no run."""
    for item in spec.split(","):
        if item.strip() not in WORDS and not item.strip().isdecimal():
            raise ValueError(f"expected {name} to be numbers or {', '.join(WORDS)}, got {item!r}")
