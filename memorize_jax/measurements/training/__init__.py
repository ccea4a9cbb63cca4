"""Accuracies over training: what `metrics.csv` of a run shows. Training itself measures them."""

from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import METRICS

MEANINGS = {
    "loss": "mean loss of all training examples under their assigned labels, without dropout: cross-entropy in nats, "
    "or the loss that the run was trained with; of a loop that was watched the one that it reported, if any",
    "seconds": "time in seconds that the epoch took, with its evaluation; of seeds trained together an equal part of "
    "it",
}
MEASUREMENT = Measurement(
    name="train",
    summary="Loss and accuracies of every epoch (figure 2A)",
    room=__name__,
    tables={"metrics": Table(METRICS, meanings=MEANINGS)},
)
