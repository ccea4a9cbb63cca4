"""Named random streams: one seed, one independent key per purpose."""

import zlib

import jax


def stream(seed_or_key, name: str) -> jax.Array:
    """Returns the key of the stream `name`, the same for a seed on every machine and device count.

    Args:
      seed_or_key: an integer seed, or a key to derive from.
      name: what the randomness is for, e.g. "initialization".

    Returns:
      A scalar typed PRNG key; different names give independent keys.
    """
    key = jax.random.key(seed_or_key) if isinstance(seed_or_key, int) else seed_or_key
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
