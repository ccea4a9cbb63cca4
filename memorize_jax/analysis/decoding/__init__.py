"""Subspace probes: reading true labels out of the layers of a network that memorised wrong ones."""

from memorize_jax.analysis.decoding.subspaces import (
    Subspaces,
    classify,
    fit_subspaces,
    nearest,
    nested_scores,
    scores,
    truncate,
)

__all__ = ["Subspaces", "classify", "fit_subspaces", "nearest", "nested_scores", "scores", "truncate"]
