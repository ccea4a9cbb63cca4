"""What the seeds of an ensemble agree on: means with intervals."""

from collections.abc import Mapping, Sequence

import pandas as pd

from memorize_jax.analysis.epochs import best_epoch, final_epoch
from memorize_jax.intervals import student_t_interval

STAGES = ("best", "final")
# As in the paper's figure 3.
LEVEL = 0.99


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
        for stage, epoch in zip(STAGES, (best_epoch(metrics[seed]), final_epoch(metrics[seed])), strict=True):
            parts.append(own[own["epoch"] == epoch].assign(stage=stage))
    return pd.concat(parts, ignore_index=True)


def over_seeds(
    table: pd.DataFrame, by: Sequence[str], measures: Sequence[str], *, level: float = LEVEL
) -> pd.DataFrame:
    """Summarises measurements over seeds.

        mean +- t_{(1 + level) / 2, n - 1} s / sqrt(n)

    Args:
      table: one row per seed for every combination of the columns `by`.
      by: columns that are not averaged over.
      measures: columns that are.
      level: of the Student-t interval.

    Returns:
      columns `by`, measure, mean, low, high, num_seeds: one row per combination and measure.
    """
    rows = []
    for values, own in table.groupby(list(by), sort=False):
        for measure in measures:
            found = student_t_interval(own[measure].to_numpy(), level=level)
            summary = {"mean": found.mean, "low": found.low, "high": found.high}
            rows.append(
                dict(zip(by, values, strict=True))
                | {"measure": measure}
                | {name: float(value) for name, value in summary.items()}
                | {"num_seeds": int(found.count)}
            )
    return pd.DataFrame(rows)
