"""What retraining a layer on unpermuted examples alone leaves of what was memorized."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from memorize_jax.epochs import at_shared_stages
from memorize_jax.figures.curves import epoch_range

# Row of the final network as it is.
NONE = "none"


class Retrained(NamedTuple):
    """One layer, put back to the seed's earliest epoch and retrained.

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


def from_earliest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of layers retrained by themselves, from the earliest epoch that those of the seed were put back to."""
    singles = table[table["num_layers"] == 1]
    return singles[singles["rewind_epoch"] == singles.groupby("seed")["rewind_epoch"].transform("min")]


def retrained_layers(table: pd.DataFrame) -> list[Retrained]:
    """What became of every layer that was retrained by itself, of the table of one seed; in order."""
    in_all = lead(table[table["layer"] == NONE].iloc[0])
    singles, found = from_earliest(table), []
    for layer, rows in singles.sort_values("layer_number", kind="stable").groupby("layer", sort=False):
        before, after = (rows.loc[getattr(rows["retrained_epochs"], which)()] for which in ("idxmin", "idxmax"))
        found.append(Retrained(str(layer), before, after, lead(after) / in_all if in_all > 0 else float("nan")))
    return found


def with_starts(table: pd.DataFrame, metrics: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """The rows with a column `start`, the epoch that layers were put back to by a name that all seeds share.

    That is "best epoch" or "final epoch" where every seed was retrained from its own, with these epochs behind it; the
    number for other epochs. Rows are there twice, if their epoch is both, and once more if it is another seed's number.
    The final network as it is (`NONE`) was put back to nothing, and has none.

    Args:
      table: of one or several seeds.
      metrics: seed -> its metrics.
    """
    own = table[table["layer"] != NONE]
    named = at_shared_stages(own.assign(epoch=own["rewind_epoch"]), metrics)
    spans = {stage: epoch_range(rows["epoch"]) for stage, rows in named.groupby("stage")}
    named = named.assign(start=[f"{stage} epoch ({spans[stage]})" for stage in named["stage"]])
    is_named = pd.MultiIndex.from_frame(own[["seed", "rewind_epoch"]]).isin(
        pd.MultiIndex.from_frame(named[["seed", "rewind_epoch"]])
    )
    numbered = own[own["rewind_epoch"].isin(own.loc[~is_named, "rewind_epoch"])]
    numbered = numbered.assign(start=[f"epoch {epoch}" for epoch in numbered["rewind_epoch"]])
    together = pd.concat([table[table["layer"] == NONE].assign(start=None), numbered, named], ignore_index=True)
    places = {layer: place for place, layer in enumerate(table["layer"].unique())}
    order = together["layer"].map(places).sort_values(kind="stable").index
    return together.loc[order, [*table.columns, "start"]]
