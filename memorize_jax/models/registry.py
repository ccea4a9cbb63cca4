"""Name -> network and its ordered layers."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from memorize_jax.models import mlp


class Entry(NamedTuple):
    """One kind of network.

    Attributes:
      constructor: (num_classes, width, dtype) -> module.
      width: the paper's width.
      layers: analysed layers in order; the position, from 1, is the paper's layer number.
    """

    constructor: Callable[..., nn.Module]
    width: int
    layers: tuple[str, ...]


MODELS = {"mlp": Entry(mlp.MLP, 1024, mlp.LAYERS)}


def check_name(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is a model."""
    if name not in MODELS:
        raise ValueError(f"expected model to be one of {', '.join(sorted(MODELS))}, got {name!r}")


def create(name: str, *, num_classes: int, width: int | None = None, dtype=jnp.float32) -> nn.Module:
    """Makes a network.

    Args:
      name: one of `MODELS`.
      num_classes: outputs.
      width: the model's width; None for the paper's.
      dtype: of the computation.

    Returns:
      A flax.linen module with `init(key, x, train=False)`.

    Raises:
      ValueError: unknown name or a width below 1.
    """
    check_name(name)
    width = MODELS[name].width if width is None else width
    if width < 1:
        raise ValueError(f"expected width >= 1, got {width}")
    return MODELS[name].constructor(num_classes=num_classes, width=width, dtype=dtype)


def layer_names(name: str) -> tuple[str, ...]:
    """Lists the analysed layers of a network in order.

    Args:
      name: one of `MODELS`.

    Returns:
      Names under which activations are sown and parameters stored.
    """
    check_name(name)
    return MODELS[name].layers
