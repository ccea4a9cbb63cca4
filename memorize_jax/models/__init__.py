"""The paper's networks as flax.linen modules."""

from memorize_jax.models.initializers import INITS
from memorize_jax.models.layers import Layer, norm_name
from memorize_jax.models.network import Network
from memorize_jax.models.registry import (
    MODELS,
    Entry,
    can_be_stacked,
    check_dropout,
    check_input,
    check_name,
    create,
    layer_names,
    layers,
)

__all__ = [
    "INITS",
    "MODELS",
    "Entry",
    "Layer",
    "Network",
    "can_be_stacked",
    "check_dropout",
    "check_input",
    "check_name",
    "create",
    "layer_names",
    "layers",
    "norm_name",
]
