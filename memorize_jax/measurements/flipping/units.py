"""The units of a network that can be switched off: channels of convolutions, and units of dense layers."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from memorize_jax.models import Layer, norm_name


class Units(NamedTuple):
    """The units of all hidden layers, one after the other.

    Attributes:
      modules: names of the modules whose output a unit is a channel of; before the nonlinearity, after BatchNorm.
      masked: names of the modules whose output is masked: the BatchNorm where there is one.
      sizes: how many units each of them has.
      layers: name of the layer that each module belongs to.
    """

    modules: tuple[str, ...]
    masked: tuple[str, ...]
    sizes: tuple[int, ...]
    layers: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.sizes)

    def name(self, unit: int) -> str:
        """What the table calls a unit, e.g. "linear3:17"."""
        ends = np.cumsum(self.sizes)
        place = int(np.searchsorted(ends, unit, side="right"))
        return f"{self.modules[place]}:{unit - (ends[place] - self.sizes[place])}"

    def of(self, layer: str | None) -> Bool[np.ndarray, " units"]:
        """Which units are of a layer; of any for None."""
        return np.repeat([layer in (None, own) for own in self.layers], self.sizes)

    def split(self, mask: Float[Array, " units"]) -> dict[str, Float[Array, " own"]]:
        """The part of a vector over units that is of each masked module."""
        parts = jnp.split(mask, np.cumsum(self.sizes)[:-1].tolist())
        return dict(zip(self.masked, parts, strict=True))


def hidden_units(params: Mapping[str, Any], layers: Sequence[Layer]) -> Units:
    """Finds the units of all layers but the last, whose units are the classes themselves.

    A channel of a convolution on a skip connection is a unit of its own, of the layer it is added to.

    Args:
      params: of the network, or their shapes.
      layers: of the network, in order; at least one is hidden.
    """
    found = []
    for layer in layers[:-1]:
        for module in layer.modules:
            if "kernel" in params.get(module, {}):
                norm = norm_name(module)
                masked = norm if norm in params else module
                found.append((module, masked, int(params[module]["kernel"].shape[-1]), layer.name))
    return Units(*zip(*found, strict=True))


def masked_apply(
    model: nn.Module, units: Units, variables: dict, mask: Float[Array, " units"], inputs: Float[Array, "n ..."]
) -> Float[Array, "n classes"]:
    """Computes logits with the output of every unit multiplied by its mask: 0 switches it off for every example.

    As a unit's output is linear in its own parameters w, scale and offset of a BatchNorm or else kernel and bias, the
    derivative by its mask at 1 is sum w dL/dw.
    """
    with nn.intercept_methods(functools.partial(_masked, units.split(mask))):
        return model.apply(variables, inputs, train=False)  # pyright: ignore[reportReturnType]


def _masked(masks: Mapping[str, Array], next_function: Callable, args, kwargs, context):
    shown = next_function(*args, **kwargs)
    is_whole = context.method_name == "__call__" and context.module.name in masks
    return shown * masks[context.module.name] if is_whole else shown
