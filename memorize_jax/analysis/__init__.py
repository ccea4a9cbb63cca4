"""Analyses of a trained network: (epoch, variables) in, records out; no disk."""

from memorize_jax.analysis import decoding
from memorize_jax.analysis.activations import INPUT, layer_activations
from memorize_jax.analysis.epochs import select_epochs
from memorize_jax.analysis.manifolds import (
    NetworkGeometry,
    geometry_rows,
    group_geometry,
    missing_rows,
    network_geometries,
    network_geometry,
    with_example_spread,
)
from memorize_jax.analysis.own_activations import Analysis, analyze, read_points
from memorize_jax.intervals import over_seeds
from memorize_jax.stages import at_stages, best_epoch, final_epoch

__all__ = [
    "INPUT",
    "Analysis",
    "NetworkGeometry",
    "analyze",
    "at_stages",
    "best_epoch",
    "decoding",
    "final_epoch",
    "geometry_rows",
    "group_geometry",
    "layer_activations",
    "missing_rows",
    "network_geometries",
    "network_geometry",
    "over_seeds",
    "read_points",
    "select_epochs",
    "with_example_spread",
]
