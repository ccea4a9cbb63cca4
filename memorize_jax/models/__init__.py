"""The paper's networks as flax.linen modules."""

from memorize_jax.models.groups import BN_POLICIES, LayerGroup, check_groups, count_groups, select_groups, transplant
from memorize_jax.models.initializers import INITS
from memorize_jax.models.layers import Layer, convolutions_of, kind_of, last_convolution, norm_name
from memorize_jax.models.network import Network
from memorize_jax.models.norms import norm_modules
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
    "BN_POLICIES",
    "INITS",
    "MODELS",
    "Entry",
    "Layer",
    "LayerGroup",
    "Network",
    "can_be_stacked",
    "check_dropout",
    "check_groups",
    "check_input",
    "check_name",
    "convolutions_of",
    "count_groups",
    "create",
    "kind_of",
    "last_convolution",
    "layer_names",
    "layers",
    "norm_modules",
    "norm_name",
    "select_groups",
    "transplant",
]
