"""Analyses of a trained network: (epoch, variables) in, records out; no disk."""

from memorize_jax.analysis.activations import INPUT, layer_activations
from memorize_jax.analysis.epochs import best_epoch, final_epoch, select_epochs
from memorize_jax.analysis.manifolds import geometry_rows, network_geometry

__all__ = [
    "INPUT",
    "best_epoch",
    "final_epoch",
    "geometry_rows",
    "layer_activations",
    "network_geometry",
    "select_epochs",
]
