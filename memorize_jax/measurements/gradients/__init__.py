"""Measures the label-dependent and the label-independent part of the gradient, layer by layer.

    python -m experiments.gradients --workdir=runs/mine --gradient_epochs=log,best,final

Writes results/gradients.csv and figures 5A to 5G and A.1 in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses

from memorize_jax.config import Settings, setting
from memorize_jax.measurements.gradients.base_vectors import BN_MODES, NUM_VECTORS
from memorize_jax.measurements.gradients.parts import CENTERINGS, WEIGHTINGS
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import GRADIENTS


@dataclasses.dataclass(frozen=True)
class GradientsSettings(Settings):
    """Settings of the decomposition of the gradient."""

    gradient_epochs: str = setting(
        "log,best,final", "Epochs to measure: comma-separated numbers and best, final, all, log."
    )
    gradient_bn: str = setting(
        "train",
        "Statistics of BatchNorm: train, those of mixed batches, or eval, the running ones.",
        choices=BN_MODES,
    )
    gradient_weighting: str = setting(
        "subset",
        "Weight of a group: subset, the mean over it, or share, its share in the mean over all (equation 22).",
        choices=WEIGHTINGS,
    )
    gradient_centering: str = setting(
        "dataset",
        "Examples over which the mean gradient that is taken off both parts (equation 13) goes; those of equation 16 "
        "go over the data set.",
        choices=CENTERINGS,
    )


MEANINGS = {
    "group": "training examples that the gradient is of: all, unpermuted or permuted",
    "part": "part of the gradient of the loss: full (all of it), dep (label-dependent), ind (label-independent), by "
    "equations 14 and 15, or 16",
    "squared_norm": "squared length of the part, over all parameters of the layer: kernel, bias, scale and offset of "
    "BatchNorm",
    "cosine_with_ind": "cosine (-1 to 1) between the part and the label-independent part of the same group; NaN if one "
    "is zero",
    "cosine_with_permuted": "cosine (-1 to 1) between the part and the same part on permuted examples; NaN if one is "
    "zero or no label is permuted",
    "num_examples": "training examples of the group",
    "data_classes": "P, the number of classes of the data set",
    "form": "definition of the parts: eq15 (equation 15, where dep and ind add up to full) or eq16 (equation 16, where "
    "each class loses its own mean gradient)",
    "bn": "statistics that BatchNorm used: train (those of mixed batches) or eval (the running ones)",
    "weighting": "subset (a part is the mean over the examples of the group) or share (this mean times the share of "
    "the group in all examples, equation 22)",
    "centering": "examples whose mean gradient (equation 13) is taken off both parts: dataset (all) or subset (those "
    "of the group); always dataset with eq16",
}


def _cost(work, settings):
    # Every base vector a pass forward and back.
    seconds = work.count(settings.gradient_epochs) * NUM_VECTORS * 3 * work.forward_seconds
    # Sums of base vectors and what rounding lost of them, old and new, and those of a batch.
    sums = (4 * NUM_VECTORS + 2) * work.network_bytes
    return seconds, sums + work.data_bytes + (NUM_VECTORS + 1) * work.batch_bytes


def _obstacle(config, splits):
    if config.loss == "cross_entropy" and not config.label_smoothing:
        return ""
    return "its parts are those of cross-entropy without label smoothing; this run was trained by another loss"


MEASUREMENT = Measurement(
    name="gradients",
    summary="Label-dependent and label-independent parts of the gradient (figures 5 and A.1)",
    room=__name__,
    of_any_network=False,
    settings=GradientsSettings,
    tables={
        "gradients": Table(
            GRADIENTS,
            text=frozenset({"layer", "group", "part", "form", "bn", "weighting", "centering"}),
            added=frozenset({"data_classes"}),
            meanings=MEANINGS,
        )
    },
    obstacle=_obstacle,
    cost=_cost,
)
