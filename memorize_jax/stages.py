"""The best and the final epoch, which the paper compares: of a run, and of every seed of an ensemble."""

from collections.abc import Mapping

import pandas as pd

STAGES = ("best", "final")


def best_epoch(metrics: pd.DataFrame) -> int:
    """The epoch with the highest test accuracy, the first of equals: the paper's selection, made on the test set."""
    return int(metrics.loc[metrics["test_accuracy"].idxmax(), "epoch"])


def final_epoch(metrics: pd.DataFrame) -> int:
    """The last epoch."""
    return int(metrics["epoch"].max())


def stage_epoch(metrics: pd.DataFrame, stage: str) -> int:
    """The epoch of a stage, one of `STAGES`."""
    return best_epoch(metrics) if stage == "best" else final_epoch(metrics)


def at_stages(table: pd.DataFrame, metrics: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Keeps the rows of every seed's own best and final epoch, and says which of the two they are.

    Args:
      table: with columns seed and epoch.
      metrics: seed -> table of its run.

    Returns:
      the rows, with a column `stage`; a row is there twice if its epoch is both.
    """
    parts = []
    for seed, own in table.groupby("seed"):
        for stage in STAGES:
            parts.append(own[own["epoch"] == stage_epoch(metrics[seed], stage)].assign(stage=stage))
    return pd.concat(parts, ignore_index=True)
