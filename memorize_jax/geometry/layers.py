"""Layers of a network that show the same examples, read together."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from memorize_jax.geometry.grams import Mask
from memorize_jax.geometry.points import read_manifolds


class Layers(NamedTuple):
    """Layers that show the same examples, as `points.read_manifolds` leaves them."""

    points: tuple[Float[Array, "P M _"], ...]
    mask: Mask
    exponents: np.ndarray
    shape: tuple


def read_layers(layers: Any, *, keep_origin: bool = False) -> Layers:
    """Reads layers by name; None is the name of points that are no layer.

    Raises:
      ValueError: no mapping, no layer, what `points.read_manifolds` refuses, other manifolds or examples in one layer
        than in another.
    """
    if not isinstance(layers, Mapping):
        raise ValueError(f"expected layers by name, {{name: points}}, got {type(layers).__name__}")
    if not layers:
        raise ValueError("expected at least one layer, got none")
    called = {name: "points" if name is None else f"points of layer {name!r}" for name in layers}
    read = {name: read_manifolds(x, called[name], keep_origin=keep_origin) for name, x in layers.items()}
    masks = [one.mask for one in read.values()]
    if any(mask.shape != masks[0].shape or np.any(mask != masks[0]) for mask in masks):
        counts = {name: np.sum(one.mask, axis=1, dtype=int).tolist() for name, one in read.items()}
        raise ValueError(f"expected the same manifolds and examples in every layer, got examples {counts}")
    dtype = jnp.result_type(*(one.points.dtype for one in read.values()))
    points = tuple(one.points.astype(dtype) for one in read.values())
    exponents = np.array([[one.exponent] for one in read.values()])
    return Layers(points, masks[0].astype(dtype), exponents, (len(points), *masks[0].shape, dtype))
