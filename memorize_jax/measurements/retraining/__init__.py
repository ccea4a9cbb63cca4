"""Retrains single layers on unpermuted examples alone and measures whether permuted ones get their labels back.

    python -m experiments.retraining --workdir=runs/mine --retrain_from_epochs=0,best

After Maini et al. 2023. Writes results/retraining.csv in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses
import math

from memorize_jax import models
from memorize_jax.config import Settings, setting
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.models import check_groups, count_groups, select_groups

RETRAINING = (
    *("seed", "layer", "layer_number", "rewind_epoch", "retrained_epochs", "unpermuted_accuracy", "permuted_accuracy"),
    *("restored_accuracy", "test_accuracy", "train_accuracy", "loss", "num_layers"),
)
MEANINGS = {
    "layer": "layers that were put back and retrained, joined by +; or none, for the final network as it is",
    "layer_number": "row of the first of these layers in the table of its network; 0 for none",
    "rewind_epoch": "epoch that these layers were put back to before they were trained; for none the final one",
    "retrained_epochs": "epochs of training on unpermuted examples alone after which the network was evaluated; 0 is "
    "before it",
    "num_layers": "how many layers these are; 0 for none",
}


@dataclasses.dataclass(frozen=True)
class RetrainingSettings(Settings):
    """Settings of retraining."""

    retrain_layers: str = setting(
        "each", "Layers to retrain, comma-separated, as those of rewinding: each, conv, last:K, windows:K, all, names."
    )
    retrain_from_epochs: str = setting(
        "0", "Epochs that a layer is put back to before it is trained; final trains it from where it is."
    )
    retrain_length: int | None = setting(
        None,
        "Epochs of training on the unpermuted examples; None is until they are fitted as the run's labels were "
        "(stop_accuracy), and no longer than the run was trained.",
        least=1,
    )

    def validate(self) -> None:
        """Checks every field that can be checked without the run; raises ValueError "expected X, got Y"."""
        super().validate()
        check_groups(self.retrain_layers, "retrain_layers")


def _check(config, splits, labels, settings):
    select_groups(settings.retrain_layers, models.layers(config.model), "retrain_layers")


def _obstacle(config, splits):
    return "all labels are permuted, so there is nothing else to train on" if config.permuted_fraction == 1 else ""


def _cost(work, settings):
    trainings = count_groups(settings.retrain_layers, work.num_layers) * work.count(settings.retrain_from_epochs)
    # Fitting half of the labels, with all other layers there, takes a fraction of a training.
    seconds = trainings * (settings.retrain_length or math.sqrt(work.epochs)) * work.epoch_seconds
    return seconds, 8 * work.network_bytes + work.data_bytes + 3 * work.batch_bytes


MEASUREMENT = Measurement(
    name="retraining",
    summary="Accuracy after one layer is trained again on unpermuted examples alone (Maini et al. 2023)",
    room=__name__,
    of_any_network=False,
    of_final=True,
    on_request=True,
    settings=RetrainingSettings,
    tables={"retraining": Table(RETRAINING, text=frozenset({"layer"}), meanings=MEANINGS)},
    obstacle=_obstacle,
    check=_check,
    cost=_cost,
)
