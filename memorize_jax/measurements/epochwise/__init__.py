"""Whether test error descends twice over epochs, by permuted fraction: what a sweep over `permuted_fraction` shows."""

from memorize_jax.measurements.measurement import Measurement

MEASUREMENT = Measurement(
    name="epochwise",
    summary="Test error over epochs by permuted fraction: epochwise double descent (Stephenson and Lee 2021)",
    room=__name__,
    tables={},
    axes=("permuted_fraction",),
)
