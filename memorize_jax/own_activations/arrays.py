"""What a caller gives as activations, read and refused layer by layer."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from memorize_jax.channels import ChannelsFirst
from memorize_jax.geometry.points import as_array
from memorize_jax.own_activations.pooling import Tokens, pool_units, pools_of


def name_layers(activations: Any) -> dict[str, Any]:
    """Names what is given: name -> values, in order; what is no mapping is the layer "activations".

    Raises:
      ValueError: no layers, names that are no text.
    """
    if isinstance(activations, (str, os.PathLike)):
        raise ValueError(
            f"expected arrays, got the path {os.fspath(activations)!r}; memorize_jax.read_activations reads it"
        )
    layers = dict(activations) if isinstance(activations, Mapping) else {"activations": activations}
    if not layers:
        raise ValueError("expected at least one layer, got none")
    if other := [name for name in layers if not isinstance(name, str)]:
        raise ValueError(f"expected text as names of layers, got {other[0]!r}; str(name) makes it")
    return layers


def read_layers(
    layers: Mapping[str, Any],
    count: int,
    *,
    pool: str | Mapping[str, str] = "flatten",
    seed: int = 0,
    tokens: Tokens = None,
) -> dict[str, Shaped[np.ndarray, "n _"]]:
    """Reads name -> [n, d] for every layer of n examples, in order.

    A layer is an array [n, ...], a list or tuple of batches [b, ...] that have n examples in all, or a list of n rows.

    Args:
      layers: of `name_layers`.
      pool: of `pools_of`.
      seed: of units that are sampled.
      tokens: of `pooling.read_tokens`.

    Raises:
      ValueError: no real numbers, several outputs, batches that do not fit together, another number of examples, a pool
        for axes that cannot be told; names the layer.
    """
    pools, found = pools_of(pool, layers), {}
    for name, given in layers.items():
        values, is_torch = _one_array(given, name, count)
        if values.ndim < 2 or len(values) != count:
            advice = ""
            if values.shape == (count,):
                advice = "; values[:, None] is a layer of one unit"
            elif values.shape[-1:] == (count,):
                advice = "; np.moveaxis(values, -1, 0) puts the examples first"
            raise ValueError(f"expected activations [{count}, ...] for layer {name!r}, got {values.shape}{advice}")
        if not values.size:
            raise ValueError(f"expected activations of at least one unit for layer {name!r}, got {values.shape}")
        if values.ndim > 2 and pools[name] in ("mean", "cls", "last") and _is_marked(given):
            raise ValueError(
                f"expected an array with channels last for pool {pools[name]!r} of layer {name!r}, got {values.shape} "
                "of PyTorch, where channels come first; give pool= to memorize_jax.torch.extract, stream or accumulate "
                "instead, which know the axes"
            )
        found[name] = pool_units(values, pools[name], name, seed=seed, channels_first=is_torch, tokens=tokens)
    return found


def _one_array(given, name, count):
    """The values of a layer as one array of NumPy, and whether they are PyTorch's, which has channels first."""
    what = f"activations of layer {name!r}"
    if isinstance(given, tuple) or (isinstance(given, list) and any(hasattr(part, "shape") for part in given)):
        parts = [np.asarray(as_array(part, f"{what}, part {place},")) for place, part in enumerate(given)]
        return _joined(parts, name, count, type(given)), any(hasattr(part, "detach") for part in given)
    return np.asarray(as_array(given, what)), hasattr(given, "detach")


def _is_marked(given):
    return any(isinstance(part, ChannelsFirst) for part in (given if isinstance(given, (list, tuple)) else [given]))


def _joined(parts, name, count, kind):
    """Batches one behind another, or rows one above another: whichever gives n examples, if only one does."""
    shapes = [part.shape for part in parts]
    are_batches = all(len(shape) > 1 for shape in shapes) and sum(shape[0] for shape in shapes) == count
    are_rows = kind is list and len(parts) == count and all(shapes)
    if kind is tuple and not are_batches:
        raise ValueError(f"expected one array for layer {name!r}, got a tuple of {len(parts)} outputs; choose one")
    if not are_batches and not are_rows:
        total = sum(shape[0] for shape in shapes if shape)
        layers = (
            " (if each is a layer, give {name: array})" if name == "activations" and shapes[0][:1] == (count,) else ""
        )
        raise ValueError(
            f"expected a list of {count} rows, or of batches with {count} examples in all, for layer {name!r}, "
            f"got {len(parts)} parts with {total}{layers}"
        )
    if are_rows and not are_batches and shapes[0][0] == count and len(shapes[0]) > 1:
        raise ValueError(
            f"expected a list of rows or of batches for layer {name!r}, got {count} arrays {shapes[0]} that may be "
            "either rows or outputs; np.stack(values) makes rows of them"
        )
    comparable = [shape[1:] if are_batches else shape for shape in shapes]
    if other := [shape for shape, own in zip(shapes, comparable, strict=True) if own != comparable[0]]:
        raise ValueError(f"expected parts of equal shape in layer {name!r}, got {shapes[0]} and {other[0]}; pool them")
    return np.concatenate(parts) if are_batches else np.stack(parts)
