"""Says of every training example when it was learned, how hard that was, and how deep in the network it is decided.

    python -m experiments.per_example --workdir=runs/mine

Writes results/per_example.csv, a row per training example; results/per_example_auroc.csv, how well each score finds
wrong labels; results/per_example_images.csv, the most and the least memorized images; and two figures in the run's
folder; for an ensemble, over all of its seeds. `memorize_jax.find_label_errors` ranks the examples of a run.
"""

import dataclasses

from memorize_jax.config import Settings, setting
from memorize_jax.figures.images import IMAGE
from memorize_jax.measurements.costs import reading
from memorize_jax.measurements.measurement import Measurement, Table

# `learned_epoch` to `cumulative_loss` are of all stored epochs, `num_epochs` of them; -1 is no prediction.
PER_EXAMPLE = (
    *("seed", "example", "true", "assigned", "is_permuted", "learned_epoch", "first_true_epoch", "forgotten", "aum"),
    *("cumulative_loss", "loss_best", "loss_final", "prediction_depth_best", "prediction_depth_final"),
    *("predicted_best", "predicted_final", "num_epochs", "num_probes"),
)
PER_EXAMPLE_AUROC = ("seed", "score", "auroc", "low", "high", "num_examples", "num_mislabeled", "num_epochs")
# `memorized` is most or least; pixels are empty where examples are not images.
PER_EXAMPLE_IMAGES = (
    *("seed", "memorized", "rank", "example", "true", "assigned", "learned_epoch", "cumulative_loss"),
    *IMAGE,
)


@dataclasses.dataclass(frozen=True)
class PerExampleSettings(Settings):
    """Settings of what is measured of every example."""

    depth_neighbors: int = setting(
        30, "Neighbors that vote on an example after every layer; 0 leaves the prediction depth out.", least=0
    )


def _check(config, splits, labels, settings):
    if settings.depth_neighbors >= (num := len(splits.train.labels)):
        raise ValueError(f"expected depth_neighbors below {num}, the training examples, got {settings.depth_neighbors}")


# Of distances of a probe, on a processor.
OPERATIONS_PER_SECOND = 3e10
READ_SECONDS, BYTES_PER_SECOND = 3e-3, 1e9


def _cost(work, settings):
    epochs = work.epochs + 1
    seconds = epochs * (work.forward_seconds + READ_SECONDS + work.network_bytes / BYTES_PER_SECOND)
    if settings.depth_neighbors:
        seconds += 2 * 2 * work.num_examples**2 * sum(work.widths) / OPERATIONS_PER_SECOND
    return seconds, reading(work) + 3 * 4 * work.num_examples * max(work.widths)


MEASUREMENT = Measurement(
    name="per_example",
    summary="When every training example is learned, and how deep it is decided",
    room=__name__,
    of_final=True,
    settings=PerExampleSettings,
    tables={
        "per_example": Table(PER_EXAMPLE),
        "per_example_auroc": Table(PER_EXAMPLE_AUROC, text=frozenset({"score"})),
        "per_example_images": Table(PER_EXAMPLE_IMAGES, text=frozenset({"memorized", "pixels"})),
    },
    check=_check,
    cost=_cost,
)
