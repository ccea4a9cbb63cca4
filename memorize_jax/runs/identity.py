"""The identity of a run: a hash of what defines it and of its data, which everything that belongs to it carries."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence

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
    return _hashed(config.identity(), fingerprint, together)


def possible_identities(
    config: RunConfig, fingerprint: Mapping[str, str], together: Sequence[int] = ()
) -> Iterator[str]:
    """The identity of a run, and those that it can have from earlier versions, where a 1 for 1.0 was hashed as 1."""
    settings = config.identity()
    whole = [name for name, value in settings.items() if isinstance(value, float) and value.is_integer()]
    for number in range(len(whole) + 1):
        for names in itertools.combinations(whole, number):
            yield _hashed({**settings, **{name: int(settings[name]) for name in names}}, fingerprint, together)


def _hashed(settings, fingerprint, together):
    parts = {"config": settings, "data": fingerprint, "together": list(together)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def digest_of(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays, their types, shapes and values, as 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:32]
