"""How much of what memorization cost comes back when layers are rewound."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from memorize_jax.claims.shapes import thirds

# A layer that wins back less than this share of what memorizing cost is said not to recover.
RECOVERS = 0.1


class Recovery(NamedTuple):
    """What rewinding a layer, or a set of layers, to its best epoch wins back.

    Attributes:
      share: of the difference between the peak of training and the final network: 1 undoes the memorizing; 0 where no
        rewound network is better than the final one, to which rewinding changes nothing.
    """

    layer: str
    rewind_epoch: int
    accuracy: float
    share: float


class RewindingEffect(NamedTuple):
    """The statement of figure 4B: late layers recover, early ones do not.

    Attributes:
      final: accuracy of the final network.
      peak: highest accuracy of any epoch of training.
      recoveries: of all layers and sets, in the order of the table.
      early: names of the first third of all hidden layers; `late` of the last.
      early_share: mean over these layers, NaN if one of them was not rewound alone; likewise `late_share`.
    """

    final: float
    peak: float
    recoveries: tuple[Recovery, ...]
    early: tuple[str, ...]
    late: tuple[str, ...]
    early_share: float
    late_share: float

    @property
    def tells_late_from_early(self) -> bool:
        """Whether all early and late layers were rewound, and are not the same."""
        return self.early != self.late and bool(np.isfinite([self.early_share, self.late_share]).all())

    @property
    def late_recovers(self) -> bool:
        """Whether late layers recover, and more than early ones."""
        return self.late_share >= RECOVERS and self.late_share > self.early_share

    @property
    def early_recovers(self) -> bool:
        """Whether early layers recover, which the paper's do not."""
        return self.early_share >= RECOVERS


def rewinding_effect(
    rewinding: pd.DataFrame, metrics: pd.DataFrame, group: str, hidden: Sequence[str]
) -> RewindingEffect | None:
    """Measures how much of what memorizing cost comes back when layers of the final network of one run are rewound.

    Args:
      group: "test" or "restored".
      hidden: names of all hidden layers of the network in order, whichever were rewound.

    Returns:
      None where nothing was lost.
    """
    column = f"{group}_accuracy"
    final, peak = metrics[column].iloc[-1], metrics[column].max()
    if not peak > final:
        return None
    recoveries = []
    for layer, rows in rewinding.groupby("layer", sort=False):
        top = rows.loc[rows[column].idxmax()]
        share = max(0.0, (top[column] - final) / (peak - final))
        recoveries.append(Recovery(str(layer), int(top["rewind_epoch"]), float(top[column]), float(share)))
    share_of = {recovery.layer: recovery.share for recovery in recoveries}
    early, late = thirds(hidden)
    means = (float(np.mean([share_of.get(layer, np.nan) for layer in chosen] or np.nan)) for chosen in (early, late))
    return RewindingEffect(float(final), float(peak), tuple(recoveries), early, late, *means)
