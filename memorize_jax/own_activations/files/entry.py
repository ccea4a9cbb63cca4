"""What a file holds, before it is read."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np


class Foreign(ValueError):
    """Not a file that can be read, but whole: the message says what it is."""


class Entry(NamedTuple):
    """An array in a file.

    Attributes:
      shape: as it will be when it is read.
      num_bytes: that it will take.
      kind: "numbers" or "text", or what else it is and why it is not read, for messages.
      read: reads it.
    """

    shape: tuple[int, ...]
    num_bytes: int
    kind: str
    read: Callable[[], np.ndarray]


# Names are paths within the file, in its order.
Entries = dict[str, Entry]
Opened = AbstractContextManager[Entries]
Opening = Iterator[Entries]


def kind_of(dtype: np.dtype) -> str:
    """Says whether arrays of a kind are numbers or text, or names the kind."""
    if (dtype.kind in "biufV" and dtype.fields is None) or dtype.kind == "c":
        return "numbers"
    return "text" if dtype.kind in "SUT" else f"{dtype}"
