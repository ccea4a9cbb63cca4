"""Variables of flax.linen and params of haiku: nested dicts."""

from collections.abc import Mapping
from typing import Any

import jax

from memorize_jax.taps.leaves import PARAMS, STATE, Leaf, Opened, module_name, path_parts


def open_network(variables: Any) -> Opened:
    """Opens variables or params of flax.linen, params of haiku, or its (params, state)."""
    found, treedef = jax.tree.flatten_with_path(variables)
    leaves = []
    for path, value in found:
        if not hasattr(value, "dtype"):
            place = "/".join(path_parts(path))
            raise ValueError(f"expected arrays in variables and params, got {type(value).__name__} as {place}")
        leaves.append(_leaf(variables, path, value))
    return Opened(leaves, lambda values: jax.tree.unflatten(treedef, list(values)))


def _leaf(variables, path, value):
    kind, prefix = PARAMS, ""
    if isinstance(variables, tuple):
        kind, path = (PARAMS, STATE)[path[0].idx], path[1:]
    elif isinstance(variables.get(PARAMS), Mapping):
        collection, path = path[0].key, path[1:]
        if collection != PARAMS:
            kind, prefix = STATE, f"{collection}/"
    # A value in a box, as of flax's partitioned parameters, has attributes behind its last name.
    depth = max(place for place, key in enumerate(path) if hasattr(key, "key"))
    inside = [part for part in path_parts(path[depth + 1 :]) if part != "value"]
    name = "/".join([*path_parts(path[depth : depth + 1]), *inside])
    return Leaf(kind, module_name(path_parts(path[:depth])), prefix + name, value)
