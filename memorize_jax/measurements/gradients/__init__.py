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
        )
    },
    obstacle=_obstacle,
    cost=_cost,
)
