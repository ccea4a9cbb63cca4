"""Results of the host for numbers that come again: what a network is given shows the same points at every epoch."""

import collections
import hashlib
import threading
from typing import Any

import numpy as np


class Memory:
    """Keeps the results of a pure function that were asked for last, up to a number of bytes; threads can share it.

    Attributes:
      most_bytes: of all results together; one of more than an eighth of it is not kept.
    """

    def __init__(self, most_bytes: int):
        self.most_bytes = most_bytes
        self._kept: collections.OrderedDict[bytes, tuple[Any, int]] = collections.OrderedDict()
        self._bytes, self._lock = 0, threading.Lock()

    def accepts(self, size: int) -> bool:
        """Whether a result of so many bytes would be kept."""
        return 8 * size <= self.most_bytes

    def find(self, key: bytes) -> Any:
        """The result that was kept under a key, which nobody may change; None if there is none."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: bytes, result: Any, size: int) -> None:
        """Keeps a result of so many bytes; the oldest go."""
        with self._lock:
            if not self.accepts(size) or key in self._kept:
                return
            self._kept[key] = result, size
            self._bytes += size
            while self._bytes > self.most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1][1]


def key_of(*arrays: np.ndarray) -> bytes:
    """A hash of types, shapes and every bit of some arrays."""
    digest = hashlib.blake2b(digest_size=32)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()
