"""What retraining a layer on unpermuted examples alone leaves of what was memorized."""

from typing import NamedTuple

import pandas as pd

# Row of the final network as it is.
NONE = "none"


class Retrained(NamedTuple):
    """One layer, put back to the earliest epoch and retrained.

    Attributes:
      before: its row before it was trained.
      after: its row at the end.
      kept: lead of assigned over true labels of permuted examples after it, over that of the final network: 1 where
        all comes back, 0 where the network knows as much of either; NaN where the final network has no such lead.
    """

    layer: str
    before: pd.Series
    after: pd.Series
    kept: float


def lead(row: pd.Series) -> float:
    """By how much assigned labels of permuted examples outnumber true ones: 0 for a network that memorized nothing."""
    return float(row["permuted_accuracy"] - row["restored_accuracy"])


def retrained_layers(table: pd.DataFrame) -> list[Retrained]:
    """What became of every layer that was retrained by itself, of the table of one seed; in order."""
    in_all = lead(table[table["layer"] == NONE].iloc[0])
    singles = table[table["num_layers"] == 1]
    singles = singles[singles["rewind_epoch"] == singles["rewind_epoch"].min()]
    found = []
    for layer, rows in singles.sort_values("layer_number", kind="stable").groupby("layer", sort=False):
        before, after = (rows.loc[getattr(rows["retrained_epochs"], which)()] for which in ("idxmin", "idxmax"))
        found.append(Retrained(str(layer), before, after, lead(after) / in_all if in_all > 0 else float("nan")))
    return found
