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
MEANINGS = {
    "group": "examples that the row is about: train (all training examples under their assigned labels); unpermuted; "
    "permuted (under their assigned labels); restored (the permuted ones under their true labels); test",
    "drift": "mean drift of the permuted examples whose assigned class is not their true one: 0 at the mean of the "
    "unpermuted examples of the true class, 1 at that of the assigned one; NaN in all groups but permuted",
    "drift_sd": "standard deviation of the drift of these examples",
    "drift_share": "share (0 to 1) of these examples with a drift above 1/2",
    "nc1_true": "NC1 by true labels, variation within classes over that between them, tr(S_W S_B⁺)/C; 0 is collapse",
    "nc1_assigned": "NC1 by assigned labels, likewise; of unpermuted and test examples the same as nc1_true",
    "nc2_norm": "NC2, standard deviation over mean of the distances of the class means from their center, under the "
    "labels of the group; 0 is collapse",
    "nc2_angle": "NC2, how far the cosines between class means are from -1/(C-1), those of a regular simplex, mean "
    "over the pairs, under the labels of the group; 0 is collapse",
    "nc3": "NC3, distance (0 to 2) between the weights of the last layer and the class means of its inputs, both "
    "scaled to norm 1; 0 is collapse; NaN for all other layers",
    "nc4": "NC4, share (0 to 1) of the examples whose nearest class mean of unpermuted training examples is the class "
    "that the network gives; 1 is collapse",
    "rank_true": "directions of the class means that nc1_true counts; 0 where it is NaN",
    "rank_assigned": "directions of the class means that nc1_assigned counts; 0 where it is NaN",
    "num_drifting": "examples that the drift is of; 0 in all groups but permuted",
    "num_examples": "examples of the group",
    "num_classes": "C, the number of classes of the data set",
    "status": "0, or the sum of why numbers are NaN: 1 activations are not finite; 2 a class is empty; 4 the class "
    "means coincide; 8 no class means of unpermuted examples, or two coincide; 16 no permuted example with another "
    "label; 32 a class mean lies at the center of all, so that nc2_angle is NaN",
}


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
    tables={"collapse": Table(COLUMNS, text=frozenset({"layer", "group"}), meanings=MEANINGS)},
    cost=_cost,
)
