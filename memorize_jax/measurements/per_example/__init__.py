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

PER_EXAMPLE = (
    *("seed", "example", "true", "assigned", "is_permuted", "learned_epoch", "first_true_epoch", "forgotten", "aum"),
    *("cumulative_loss", "loss_best", "loss_final", "prediction_depth_best", "prediction_depth_final"),
    *("predicted_best", "predicted_final", "num_epochs", "num_probes"),
)
PER_EXAMPLE_AUROC = ("seed", "score", "auroc", "low", "high", "num_examples", "num_mislabeled", "num_epochs")
PER_EXAMPLE_IMAGES = (
    *("seed", "memorized", "rank", "example", "true", "assigned", "learned_epoch", "cumulative_loss"),
    *IMAGE,
)
NUM_EPOCHS = "stored epochs whose networks were read; scores of runs that store other epochs cannot be compared"
LEARNED_EPOCH = (
    "stored epoch from which on the example gets its assigned label without a break; one more than the last epoch if "
    "it does not at the end; NaN if the final network is damaged"
)
CUMULATIVE_LOSS = "cross-entropy of the assigned label in nats, sum over the stored epochs"
DEPTH = (
    "place (0 is the input) of the first layer from which on the nearest neighbors vote for the class that the network "
    "gives; num_probes if those of the last layer do not; NaN if not measured, or if a layer is not finite"
)
MEANINGS = {
    "learned_epoch": LEARNED_EPOCH,
    "first_true_epoch": "first stored epoch at which the example gets its true label; one more than the last epoch if "
    "there is none",
    "forgotten": "times that a stored epoch gives the example its assigned label and the next one does not",
    "aum": "area under the margin: logit of the assigned label less the largest other logit, mean over the stored "
    "epochs",
    "cumulative_loss": CUMULATIVE_LOSS,
    "loss_best": "cross-entropy of the assigned label in nats at the best epoch; NaN if its network is damaged",
    "loss_final": "cross-entropy of the assigned label in nats at the final epoch; NaN if its network is damaged",
    "prediction_depth_best": f"at the best epoch, {DEPTH}",
    "prediction_depth_final": f"at the final epoch, {DEPTH}",
    "predicted_best": "class that the network gives the example at the best epoch; -1 if there is none",
    "predicted_final": "class that the network gives the example at the final epoch; -1 if there is none",
    "num_epochs": NUM_EPOCHS,
    "num_probes": "layers whose neighbors vote, the input among them",
}
AUROC_MEANINGS = {
    "score": "column of per_example.csv that is to find wrong labels",
    "auroc": "probability (0 to 1) that a mislabeled example has a higher score than another one (of aum a lower one), "
    "ties counting half; 0.5 is chance; NaN if a score is NaN, or all labels are right or all wrong",
    "low": "lower end of the 95 % interval of auroc (DeLong); NaN where it cannot be had",
    "high": "upper end of the 95 % interval of auroc (DeLong); NaN where it cannot be had",
    "num_examples": "training examples that were ranked",
    "num_mislabeled": "those of them whose assigned label is not their true one",
    "num_epochs": NUM_EPOCHS,
}
IMAGES_MEANINGS = {
    "memorized": "most or least, whether the example is among those of highest or of lowest cumulative_loss of all "
    "that the final network gives their assigned label",
    "rank": "place among these, counted from 1",
    "learned_epoch": LEARNED_EPOCH,
    "cumulative_loss": CUMULATIVE_LOSS,
}


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
        "per_example": Table(PER_EXAMPLE, meanings=MEANINGS),
        "per_example_auroc": Table(PER_EXAMPLE_AUROC, text=frozenset({"score"}), meanings=AUROC_MEANINGS),
        "per_example_images": Table(
            PER_EXAMPLE_IMAGES, text=frozenset({"memorized", "pixels"}), meanings=IMAGES_MEANINGS
        ),
    },
    check=_check,
    cost=_cost,
)
