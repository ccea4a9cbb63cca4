"""What a caller gives as activations, read and refused layer by layer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from memorize_jax.geometry.points import as_array, has_bad


def read_layers(activations: Any, count: int) -> dict[str, Shaped[np.ndarray, "n _"]]:
    """Reads name -> [n, d] for every layer of n examples, in order; a single array is the layer "activations".

    Raises:
      ValueError: no real numbers, several outputs, another number of examples, NaN or infinite values; names the layer.
    """
    layers = dict(activations) if isinstance(activations, Mapping) else {"activations": activations}
    return {name: _rows(values, name, count) for name, values in layers.items()}


def _rows(values, name, count):
    """One layer [n, d], of finite numbers."""
    if isinstance(values, tuple):
        raise ValueError(f"expected one array for layer {name!r}, got a tuple of {len(values)} outputs; choose one")
    values = np.asarray(as_array(values, f"activations of layer {name!r}"))
    if values.ndim < 2 or len(values) != count:
        raise ValueError(f"expected activations [{count}, ...] for layer {name!r}, got {values.shape}")
    values = values.reshape(count, -1)
    if has_bad(values):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        raise ValueError(
            f"expected finite points of layer {name!r}, got NaN or infinite values in row {bad[0]} of layer {name!r}, "
            f"in {len(bad)} of {count} rows in all"
        )
    return values
