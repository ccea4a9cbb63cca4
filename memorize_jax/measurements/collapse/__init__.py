"""Measures how far permuted examples move from their true to their assigned class, and how far classes collapse.

    python -m experiments.collapse --workdir=runs/mine --collapse_epochs=log,best,final

Writes results/collapse.csv, a row per epoch, layer and group, in the run's folder.
"""

import dataclasses

from memorize_jax.activations import HOST_BYTES
from memorize_jax.config import Settings, setting
from memorize_jax.measurements import costs
from memorize_jax.measurements.measurement import Measurement, Table

COLUMNS = (
    *("seed", "epoch", "layer", "layer_number", "group", "drift", "drift_sd", "drift_share", "nc1_true"),
    *("nc1_assigned", "nc2_norm", "nc2_angle", "nc3", "nc4", "rank_true", "rank_assigned", "num_drifting"),
    *("num_examples", "num_classes", "status"),
)


@dataclasses.dataclass(frozen=True)
class CollapseSettings(Settings):
    """Settings of drift and collapse."""

    collapse_epochs: str = setting(
        "log,best,final", "Epochs to measure: comma-separated numbers and best, final, all, log."
    )


# Of each number of the mean of a class: sums, offsets and axes in float64, axes for both passes in float32.
BYTES_PER_MEAN = 44
# Labelings of the examples, and the unpermuted centroids that drift is measured by.
MOST_MEANS = 7


def _cost(work, settings):
    # Two passes over training and test set, with as much again for the sums.
    seconds = work.count(settings.collapse_epochs) * 5 * work.forward_seconds
    widest, together = (
        BYTES_PER_MEAN * MOST_MEANS * work.num_classes * size for size in (max(work.widths), sum(work.widths))
    )
    means = max(widest, min(HOST_BYTES, together))
    return seconds, costs.reading(work) + work.data_bytes + means


MEASUREMENT = Measurement(
    name="collapse",
    summary="Drift of permuted examples to their assigned class, and neural collapse, by layer and epoch",
    room=__name__,
    settings=CollapseSettings,
    tables={"collapse": Table(COLUMNS, text=frozenset({"layer", "group"}))},
    cost=_cost,
)
