"""Arrays of a network with the module and the name that each belongs to."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

PARAMS, STATE = "params", "state"
# The module of what belongs to none, as haiku calls it.
NO_MODULE = "~"


class Leaf(NamedTuple):
    """One array of a network."""

    kind: str  # PARAMS or STATE
    module: str  # e.g. "encoder/block_0/Dense_1"
    name: str  # e.g. "kernel"
    value: Any


class Opened(NamedTuple):
    """A network taken apart."""

    leaves: list[Leaf]
    rebuild: Callable[[Sequence[Any]], Any]  # values in the order of `leaves` -> a network with them


def path_parts(path: Sequence[Any]) -> list[str]:
    """What stands in the keys of a path in a tree of jax."""
    parts = []
    for key in path:
        fields = (getattr(key, field) for field in ("key", "idx", "name") if hasattr(key, field))
        parts.append(str(next(fields, key)))
    return parts


def module_name(parts: Sequence[Any]) -> str:
    """The name of a module by the keys that lead to it."""
    return "/".join(map(str, parts)) or NO_MODULE


def is_key(value: Any) -> bool:
    """Tells typed random keys of jax from other arrays."""
    return hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def to_plain(value: Any) -> Any:
    """An array as it is stored: of typed random keys, their numbers."""
    return jax.random.key_data(value) if is_key(value) else value


def from_plain(value: Any, like: Any, name: str) -> Any:
    """An array as it stands in a network; ValueError if it does not fit to `like`, what stands there."""
    value = value if hasattr(value, "dtype") else np.asarray(value)
    stored = jax.eval_shape(jax.random.key_data, like) if is_key(like) else like
    if value.shape != stored.shape or value.dtype != stored.dtype:
        raise ValueError(
            f"expected {name} as {stored.dtype} {list(stored.shape)}, got {value.dtype} {list(value.shape)}"
        )
    if is_key(like):
        return jax.random.wrap_key_data(jnp.asarray(value), impl=jax.random.key_impl(like))
    if isinstance(like, jax.Array) and like.weak_type:
        # Numbers that began as Python's: compiled functions and equinox's states tell them from others.
        return like.at[...].set(value)
    # float64 of NumPy would not stay what it is in jax.
    # Inside of jit there are no values yet.
    on_host = isinstance(like, np.ndarray) and not isinstance(value, Tracer)
    return np.asarray(value) if on_host else jnp.asarray(value)
