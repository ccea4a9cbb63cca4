"""Subspace probes: reading true labels out of the layers of a network that memorized wrong ones."""

from memorize_jax.analysis.decoding.choice import choose_layers
from memorize_jax.analysis.decoding.layers import RULES, VARIANTS, Examples, choose_examples, read_layer
from memorize_jax.analysis.decoding.linear import class_means, first_components, linear_scores, replace_head
from memorize_jax.analysis.decoding.network import HEAD_INPUT, activations_by_layer, make_reader, network_rows
from memorize_jax.analysis.decoding.probes import PROBES, fit_probe
from memorize_jax.analysis.decoding.subspaces import (
    Subspaces,
    classify,
    fit_subspaces,
    nearest,
    nested_scores,
    scores,
    truncate,
)

__all__ = [
    "HEAD_INPUT",
    "PROBES",
    "RULES",
    "VARIANTS",
    "Examples",
    "Subspaces",
    "activations_by_layer",
    "choose_examples",
    "choose_layers",
    "class_means",
    "classify",
    "first_components",
    "fit_probe",
    "fit_subspaces",
    "linear_scores",
    "make_reader",
    "nearest",
    "nested_scores",
    "network_rows",
    "read_layer",
    "replace_head",
    "scores",
    "truncate",
]
