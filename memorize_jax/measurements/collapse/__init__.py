"""Measures how far permuted examples move from their true to their assigned class, and how far classes collapse.

    python -m experiments.collapse --workdir=runs/mine --collapse_epochs=log,best,final

Writes results/collapse.csv, a row per epoch, layer and group, in the run's folder.
"""

import dataclasses

from memorize_jax.config import Settings, setting
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


def _cost(work, settings):
    # Two passes over training and test set, with as much again for the sums.
    seconds = work.count(settings.collapse_epochs) * 5 * work.forward_seconds
    return seconds, 3 * work.network_bytes + work.data_bytes + work.batch_bytes + 120 * work.num_classes * sum(
        work.widths
    )


MEASUREMENT = Measurement(
    name="collapse",
    summary="Drift of permuted examples to their assigned class, and neural collapse, by layer and epoch",
    room=__name__,
    settings=CollapseSettings,
    tables={"collapse": Table(COLUMNS, text=frozenset({"layer", "group"}))},
    cost=_cost,
)
