"""The identity of a run: a hash of what defines it and of its data, which everything that belongs to it carries."""

import hashlib
import json

import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import Splits


def data_fingerprint(splits: Splits) -> dict[str, str]:
    """Hashes a data set, every byte of it.

    Args:
      splits: training and test set.

    Returns:
      "images" and "labels" -> 32 hexadecimal digits; of the true labels, in their order.
    """
    return {
        "images": _digest(splits.train.images, splits.test.images),
        "labels": _digest(splits.train.labels, splits.test.labels),
    }


def run_identity(config: RunConfig, fingerprint: dict[str, str]) -> str:
    """Hashes what defines a run: the settings that decide its outcome, and its data.

    Args:
      config: RunConfig.
      fingerprint: of `data_fingerprint`.

    Returns:
      32 hexadecimal digits; two runs of the same identity are the same run.
    """
    body = json.dumps({"config": config.identity(), "data": fingerprint}, sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def _digest(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return digest.hexdigest()[:32]
