"""What the tables of rewinding and gradients say about the paper's statements, in numbers."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

# A layer that wins back less than this share of what memorizing cost is said not to recover.
RECOVERS = 0.1
# A curve whose range is less than this share of its mean is flat.
FLAT = 0.02


class Recovery(NamedTuple):
    """What rewinding a layer, or a set of layers, wins back.

    Attributes:
      layer: its name.
      rewind_epoch: the best one.
      accuracy: there.
      share: of the difference between the peak of training and the final network: 1 undoes the memorizing.
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
      early: names of the first third of the hidden layers.
      late: names of their last third.
      early_share: mean of their shares.
      late_share: likewise.
    """

    final: float
    peak: float
    recoveries: tuple[Recovery, ...]
    early: tuple[str, ...]
    late: tuple[str, ...]
    early_share: float
    late_share: float

    @property
    def late_recovers(self) -> bool:
        """Whether late layers recover, and more than early ones."""
        return self.late_share >= RECOVERS and self.late_share > self.early_share

    @property
    def early_recovers(self) -> bool:
        """Whether early layers recover, which the paper's do not."""
        return self.early_share >= RECOVERS


def thirds(layers: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first and the last third of the hidden layers, at least one each: what "early" and "late" mean.

    Args:
      layers: hidden ones, in order.

    Returns:
      early and late layers.
    """
    third = max(1, len(layers) // 3)
    return tuple(layers[:third]), tuple(layers[-third:])


def rewinding_effect(rewinding: pd.DataFrame, metrics: pd.DataFrame, group: str, output: str) -> RewindingEffect | None:
    """Measures how much of what memorizing cost comes back when layers are rewound.

    Args:
      rewinding: table of one run, layers rewound in the final network.
      metrics: table of the run.
      group: "test" or "restored".
      output: name of the last layer, which is not a hidden one.

    Returns:
      RewindingEffect; None where nothing was lost, or no single hidden layer was rewound.
    """
    column = f"{group}_accuracy"
    final, peak = metrics[column].iloc[-1], metrics[column].max()
    singles = rewinding[(rewinding["num_layers"] == 1) & (rewinding["layer"] != output)]
    hidden = singles.sort_values("layer_number")["layer"].drop_duplicates().tolist()
    if not hidden or not peak > final:
        return None
    recoveries = []
    for layer in rewinding["layer"].drop_duplicates():
        rows = rewinding[rewinding["layer"] == layer]
        top = rows.loc[rows[column].idxmax()]
        share = (top[column] - final) / (peak - final)
        recoveries.append(Recovery(layer, int(top["rewind_epoch"]), float(top[column]), float(share)))
    share_of = {recovery.layer: recovery.share for recovery in recoveries}
    early, late = thirds(hidden)
    means = [float(np.mean([share_of[layer] for layer in chosen])) for chosen in (early, late)]
    return RewindingEffect(float(final), float(peak), tuple(recoveries), early, late, *means)


def reversal(values: np.ndarray) -> float:
    """How far a curve goes against its own direction.

        min(largest rise, largest fall) / (max x - min x)

    Args:
      values: [n] in order.

    Returns:
      0 for a monotonic curve and a flat one, whose range is below `FLAT` of its mean; at most 1.
    """
    spread = np.ptp(values)
    if not spread > FLAT * abs(values.mean()):
        return 0.0
    steps = [later - earlier for earlier, later in itertools.combinations(values, 2)]
    return float(max(min(max(steps), -min(steps)), 0) / spread)


class RatioRange(NamedTuple):
    """A ratio of squared norms over the layers of a network at one epoch.

    Attributes:
      epoch: of the network.
      low: of any layer.
      low_layer: its name.
      high: of any layer.
      high_layer: its name.
      num_above_one: layers where the numerator is larger.
      num_layers: all.
    """

    epoch: int
    low: float
    low_layer: str
    high: float
    high_layer: str
    num_above_one: int
    num_layers: int


def ratio_range(
    gradients: pd.DataFrame, epoch: int, above: tuple[str, str], below: tuple[str, str]
) -> RatioRange | None:
    """Compares two parts of the gradient in every layer, as figure 5D-F does.

    Args:
      gradients: table of one run, rows of equation 15.
      epoch: measured one.
      above: (group, part), e.g. ("unpermuted", "dep").
      below: (group, part), e.g. ("permuted", "dep").

    Returns:
      RatioRange; None if a group is empty or a norm zero.
    """
    rows = gradients[gradients["epoch"] == epoch]
    norms = [
        rows[(rows["group"] == group) & (rows["part"] == part)].set_index("layer")["squared_norm"]
        for group, part in (above, below)
    ]
    ratio = (norms[0] / norms[1]).replace([np.inf, -np.inf], np.nan)
    if ratio.empty or ratio.isna().any():
        return None
    extremes = (float(ratio.min()), str(ratio.idxmin()), float(ratio.max()), str(ratio.idxmax()))
    return RatioRange(epoch, *extremes, int((ratio > 1).sum()), len(ratio))
