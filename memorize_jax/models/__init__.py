"""The paper's networks as flax.linen modules."""

from memorize_jax.models.registry import MODELS, check_name, create, layer_names

__all__ = ["MODELS", "check_name", "create", "layer_names"]
