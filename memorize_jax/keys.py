"""Named random streams: one seed, one independent key per purpose."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp

# Jax's own default, unless JAX_DEFAULT_PRNG_IMPL names another one, whose numbers also depend on the device.
GENERATOR = "threefry2x32"


def check_key(key: Any) -> None:
    """ValueError for what is no key of jax, of the old kind or the new; a batch of keys is one inside vmap alone."""
    is_new = hasattr(key, "dtype") and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    is_old = getattr(key, "dtype", None) == jnp.uint32 and key.ndim == 1
    if not (is_old or (is_new and key.ndim == 0)):
        of = f" of {key.dtype} {list(key.shape)}" if hasattr(key, "dtype") else f" {key!r}"
        raise ValueError(f"expected one key of jax.random.key(seed), got {type(key).__name__}{of}")


def stream(seed_or_key, name: str) -> jax.Array:
    """Returns the key of the stream `name`, e.g. "initialization", of an integer seed or of a key to derive from.

    It is the same on every machine and device count, whatever generator jax is told to use by default; different names
    give independent keys.
    """
    key = jax.random.key(seed_or_key, impl=GENERATOR) if isinstance(seed_or_key, int) else seed_or_key
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
