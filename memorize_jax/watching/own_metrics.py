"""Metrics of a program's own, beside those that every run has."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage.tables import write_table

# Of these a run has one value, and the program's counts.
REPLACED = ("loss", "seconds")


def read_metrics(given: Mapping[str, Any] | None) -> dict[str, float]:
    """Numbers by name, of Python, NumPy, JAX or PyTorch; raises ValueError for anything else."""
    found = {}
    for name, value in (given or {}).items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected a number as metric {name!r}, got {type(value).__name__}") from error
    return found


def write_metrics(folder: RunFolder, epoch: int, metrics: Mapping[str, float]) -> None:
    """Adds a row to own_metrics.csv; rows of this and of later epochs go, they are about to be done again."""
    held = pd.read_csv(folder.own_metrics).to_dict("records") if folder.own_metrics.is_file() else []
    rows = [row for row in held if row["epoch"] < epoch] + [{"epoch": epoch, **metrics}]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_table(folder.own_metrics, [{**dict.fromkeys(columns, float("nan")), **row} for row in rows], columns)
