"""Analyses of a trained network: (epoch, variables) in, records out; no disk."""

import importlib

# Name -> the module that it is found in; loaded when it is asked for.
_NAMES = {
    "INPUT": "activations",
    "layer_activations": "activations",
    "Analysis": "own_activations.analysis",
    "analyze": "own_activations.analyze",
    "read_activations": "own_activations.files.read",
    # As it was called when it read npz files alone.
    "read_points": "own_activations.files.read",
    "select_epochs": "epochs",
    "at_stages": "epochs",
    "best_epoch": "epochs",
    "final_epoch": "epochs",
    "over_seeds": "statistics",
    "Similarity": "analysis.similarity",
    "cka": "analysis.similarity",
    **dict.fromkeys(
        ("NetworkGeometry", "group_geometry", "network_geometries", "network_geometry"), "analysis.manifolds"
    ),
    **dict.fromkeys(("geometry_rows", "missing_rows", "with_example_spread"), "analysis.manifold_rows"),
}
__all__ = ["decoding", *_NAMES]


def __getattr__(name):
    if name == "decoding":
        return importlib.import_module("memorize_jax.measurements.decoding")
    if name in _NAMES:
        return getattr(importlib.import_module(f"memorize_jax.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
