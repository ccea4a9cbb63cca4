"""Mean and interval over seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

# As in the paper's figure 3.
LEVEL = 0.99


class Interval(NamedTuple):
    """Summary of repeated measurements.

    Attributes:
      mean: [...].
      low: [...], lower end of the interval; NaN with fewer than two measurements.
      high: [...].
      standard_deviation: [...], with n - 1.
      count: number of measurements that were finite.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    standard_deviation: np.ndarray
    count: np.ndarray


def student_t_interval(values, *, level: float = 0.95, axis: int = 0) -> Interval:
    """Confidence interval of a mean by Student's t.

        mean +- t_{(1 + level) / 2, n - 1} s / sqrt(n)

    Args:
      values: [..., seeds, ...]; NaN marks a measurement that could not be had and is left out and not counted.
      level: e.g. 0.95, or 0.99 as in the paper's figure 3.
      axis: of the seeds.

    Returns:
      Interval without that axis.

    Raises:
      ValueError: a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"expected level between 0 and 1, got {level}")
    values = np.asarray(values, float)
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0).sum(axis=axis)
    mean = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
    squares = np.where(finite, values - np.expand_dims(mean, axis), 0) ** 2
    spread = squares.sum(axis=axis)
    deviation = np.sqrt(np.divide(spread, count - 1, out=np.full(np.shape(spread), np.nan), where=count > 1))
    half = stats.t.ppf((1 + level) / 2, np.maximum(count - 1, 1)) * deviation / np.sqrt(np.maximum(count, 1))
    return Interval(mean, mean - half, mean + half, deviation, count)


def over_seeds(
    table: pd.DataFrame, by: Sequence[str], measures: Sequence[str], *, level: float = LEVEL
) -> pd.DataFrame:
    """Summarizes measurements over seeds by `student_t_interval`.

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
            summary = {name: float(getattr(found, name)) for name in ("mean", "low", "high")}
            about = {**dict(zip(by, values, strict=True)), "measure": measure}
            rows.append({**about, **summary, "num_seeds": int(found.count)})
    return pd.DataFrame(rows)
