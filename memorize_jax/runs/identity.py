"""The identity of a run: a hash of what defines it and of its data, which everything that belongs to it carries."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import Splits


def data_fingerprint(splits: Splits) -> dict[str, str]:
    """Hashes every byte of a data set: of its "images" and its true "labels", each in their order."""
    return {part: digest_of(*(getattr(split, part) for split in splits)) for part in ("images", "labels")}


def run_identity(config: RunConfig, fingerprint: Mapping[str, str], together: Sequence[int] = ()) -> str:
    """Hashes what defines a run: the settings that decide its outcome, its data, and the program that trains it.

    Seeds that are trained `together` as one program have other bits.
    """
    parts = {"config": config.identity(), "data": fingerprint, "together": list(together)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def digest_of(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays, their types, shapes and values, as 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:32]
