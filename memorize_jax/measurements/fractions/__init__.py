"""Runs of several permuted fractions side by side: what a sweep over `permuted_fraction` shows."""

from memorize_jax.measurements.measurement import Measurement

MEASUREMENT = Measurement(
    name="fractions",
    summary="Capacity and accuracy by permuted fraction (figures 2A and A.8)",
    room=__name__,
    tables={},
    axes=("permuted_fraction",),
)
