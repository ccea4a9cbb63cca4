"""Accuracies over training: what `metrics.csv` of a run shows. Training itself measures them."""

from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import METRICS

MEASUREMENT = Measurement(
    name="train",
    summary="Loss and accuracies of every epoch (figure 2A)",
    room=__name__,
    tables={"metrics": Table(METRICS)},
)
