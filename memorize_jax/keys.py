"""Named random streams: one seed, one independent key per purpose."""

import zlib

import jax


def stream(seed_or_key, name: str) -> jax.Array:
    """Returns the key of the stream `name`, e.g. "initialization", of an integer seed or of a key to derive from.

    It is the same on every machine and device count; different names give independent keys.
    """
    key = jax.random.key(seed_or_key) if isinstance(seed_or_key, int) else seed_or_key
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
