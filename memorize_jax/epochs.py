"""Epochs: the best and the final one, which networks stay on disk, and how a choice of epochs is written."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

# The stages of training that are compared; what a choice of epochs may say besides numbers.
STAGES = ("best", "final")
WORDS = (*STAGES, "all", "log", "log:K")
# At most K of the epochs of log.
FEW = re.compile(r"log:0*([1-9]\d*)")


def held_out(metrics: pd.DataFrame) -> pd.Series:
    """The accuracy of every epoch on labels that were not trained on.

    That is test accuracy, or, of a run that was watched without a test set, the accuracy on the true labels of examples
    that were trained with other ones.
    """
    test = metrics["test_accuracy"]
    return metrics["restored_accuracy"] if test.isna().all() else test


def best_epoch(metrics: pd.DataFrame) -> int:
    """The epoch of highest held-out accuracy, the first of equals: the paper's selection, made on the test set."""
    return int(metrics["epoch"].tolist()[held_out(metrics).argmax()])


def final_epoch(metrics: pd.DataFrame) -> int:
    """The last epoch."""
    return int(max(metrics["epoch"].tolist()))


def stage_epoch(metrics: pd.DataFrame, stage: str) -> int:
    """The epoch of a stage, one of `STAGES`."""
    return best_epoch(metrics) if stage == "best" else final_epoch(metrics)


def at_stages(table: pd.DataFrame, metrics: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Keeps the rows of each seed's own best and final epoch, named in a column `stage`; twice, if an epoch is both."""
    parts = [
        table[(table["seed"] == seed) & (table["epoch"] == stage_epoch(metrics[seed], stage))].assign(stage=stage)
        for seed in sorted(set(table["seed"].tolist()))
        for stage in STAGES
    ]
    return pd.concat(parts, ignore_index=True)


def at_shared_stages(table: pd.DataFrame, metrics: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """The rows of `at_stages`, of the stages that every seed of the table was measured at.

    An epoch that was asked for by its number is some seed's best one by chance, and that seed stands for no other.
    """
    rows = at_stages(table, metrics)
    return rows[rows.groupby("stage")["seed"].transform("nunique") == table["seed"].nunique()]


class Kept(NamedTuple):
    """Epochs that stay on disk: `snapshots` in a precision of their own, the best and the last in `full` precision."""

    snapshots: frozenset[int]
    full: frozenset[int]


def check_keep(keep: str) -> None:
    """Raises ValueError unless `keep` is a choice of epochs that `kept_epochs` knows."""
    if keep not in ("all", "log", "best,last") and not re.fullmatch(r"every:0*[1-9]\d*", keep):
        raise ValueError(f"expected keep to be all, every:K with K >= 1, log, or best,last, got {keep!r}")


def kept_epochs(keep: str, test_accuracies: Sequence[float]) -> Kept:
    """Says which networks are kept; the best epoch is the first of those with the highest test accuracy.

    Args:
      keep: "all"; "every:K": 0, K, 2K, ...; "log": 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ...; or "best,last": no others.
      test_accuracies: of the epochs 0 .. last.
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


def check_epochs(name: str, spec: str) -> None:
    """Raises ValueError unless every item of `spec` is a number or one of `WORDS`; needs no run."""
    for item in _items(spec):
        if item not in WORDS[:-1] and not item.isdecimal() and not FEW.fullmatch(item):
            raise ValueError(f"expected {name} to be numbers or {', '.join(WORDS)}, got {item!r}")


def select_epochs(spec: str, metrics: pd.DataFrame, kept: Collection[int] | None = None) -> list[int]:
    """Reads a choice of epochs; returns them in increasing order, each once.

    Args:
      spec: comma-separated epoch numbers and the words best, final, all, log, see `kept_epochs`, and log:K, which is
        at most K of them, the first and the last among them.
      kept: epochs whose networks the run keeps, which all and log choose from; None for every epoch.

    Raises ValueError for an unknown word, or an epoch the run does not have.
    """
    epochs, final = set(metrics["epoch"].tolist()), final_epoch(metrics)
    there, chosen = epochs if kept is None else set(kept), set()
    for item in _items(spec):
        if item in STAGES:
            chosen.add(stage_epoch(metrics, item))
        elif item == "all":
            chosen |= there
        elif item == "log" or FEW.fullmatch(item):
            spread = sorted(there.intersection(snapshots("log", final)))
            chosen.update(spread if item == "log" else _few(spread, int(item.removeprefix("log:"))))
        elif item.isdecimal() and int(item) in epochs:
            chosen.add(int(item))
        else:
            raise ValueError(f"expected epochs to be numbers between 0 and {final} or {', '.join(WORDS)}, got {item!r}")
    return sorted(chosen)


def _few(epochs: Sequence[int], most: int) -> list[int]:
    """At most so many of some epochs, evenly spread over the list, the last one and, of several, the first."""
    places = np.linspace(len(epochs) - 1, 0, min(most, len(epochs))).round().astype(int)
    return [epochs[place] for place in places]


def _items(spec):
    return [item.strip() for item in spec.split(",")]


def at_stages_or_epochs(table: pd.DataFrame, metrics: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """The rows of `at_shared_stages`; where there are none all rows, whose column `stage` names the epoch."""
    rows = at_shared_stages(table, metrics)
    return table.assign(stage=[f"epoch {epoch}" for epoch in table["epoch"]]) if rows.empty else rows
