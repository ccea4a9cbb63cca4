"""Mean and interval over seeds."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

# As in the paper's figure 3.
LEVEL = 0.99


class Interval(NamedTuple):
    """Summary of repeated measurements, of which `count` were finite; no interval (NaN) with fewer than two."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    standard_deviation: np.ndarray
    count: np.ndarray


def student_t_interval(values: ArrayLike, *, level: float = 0.95, axis: int = 0) -> Interval:
    """Confidence interval of a mean by Student's t.

        mean +- t_{(1 + level) / 2, n - 1} s / sqrt(n)

    The measurements are along `axis`; NaN marks one that could not be had and is left out and not counted.
    """
    if not 0 < level < 1:
        raise ValueError(f"expected level between 0 and 1, got {level}")
    # SciPy's ttest_1samp has the same interval, and warnings where there are fewer than two measurements.
    finite = np.ma.masked_invalid(np.asarray(values, float))
    count = np.asarray(finite.count(axis))
    mean, deviation = (np.ma.filled(found, np.nan) for found in (finite.mean(axis), finite.std(axis, ddof=1)))
    half = stats.t.ppf((1 + level) / 2, np.maximum(count - 1, 1)) * deviation / np.sqrt(np.maximum(count, 1))
    return Interval(mean, mean - half, mean + half, deviation, count)


def over_seeds(
    table: pd.DataFrame, by: Sequence[str], measures: Sequence[str], *, level: float = LEVEL
) -> pd.DataFrame:
    """Summarizes the columns `measures` over seeds by `student_t_interval`, for every combination of the columns `by`.

    Args:
      table: with a column `seed`; one row for every seed and combination. A NaN in a column of `by` is a value like any
        other.

    Returns:
      A table with the columns `by`, measure, mean, low, high, num_seeds.

    Raises:
      ValueError: no column `seed`; several rows of a seed in a combination, which are no repetitions.
    """
    if "seed" not in table:
        raise ValueError(f"expected a table with a column seed, got {', '.join(map(str, table.columns))}")
    check_one_row_of_each_seed(table, by, advice="; add to by what tells them apart")
    rows = []
    for values, own in table.groupby(list(by), sort=False, dropna=False):
        for measure in measures:
            found = student_t_interval(own[measure].to_numpy(), level=level)
            about = {**dict(zip(by, cast(tuple, values), strict=True)), "measure": measure}
            summary = {name: float(getattr(found, name)) for name in ("mean", "low", "high")}
            rows.append({**about, **summary, "num_seeds": int(found.count)})
    return pd.DataFrame(rows)


def check_one_row_of_each_seed(
    table: pd.DataFrame, by: Iterable[str], *, what: str = "the table", advice: str = ""
) -> None:
    """Raises ValueError, naming where there are most, if rows differ neither in their seed nor in the columns `by`."""
    counts = table.groupby([*by, "seed"], sort=False, dropna=False).size()
    if (counts > 1).any():
        key = dict(zip(counts.index.names, counts.idxmax(), strict=True))
        about = ", ".join(f"{column} {value}" for column, value in key.items())
        expected = f"expected one row of {what} for every seed and {', '.join(by)}"
        raise ValueError(f"{expected}, got {counts.max()} for {about}{advice}")
