"""What a file holds, before it is read."""

from collections.abc import Callable, Iterable, Iterator
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
      same_as: name of the array that this is but another name of, by a link in the file.
    """

    shape: tuple[int, ...]
    num_bytes: int
    kind: str
    read: Callable[[], np.ndarray]
    same_as: str = ""


# Names are paths within the file, in its order.
Entries = dict[str, Entry]
Opened = AbstractContextManager[Entries]
Opening = Iterator[Entries]


def each_once(names: Iterable[str], entries: Entries) -> list[str]:
    """The first name of every array."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(entries[name].same_as or name, name)
    return list(first.values())


def without(name: str, entries: Entries) -> Entries:
    """All arrays but one, which goes by all of its names."""
    gone = entries[name].same_as or name
    return {own: entry for own, entry in entries.items() if (entry.same_as or own) != gone}


def kind_of(dtype: np.dtype) -> str:
    """Says whether arrays of a kind are numbers or text, or names the kind."""
    if (dtype.kind in "biufV" and dtype.fields is None) or dtype.kind == "c":
        return "numbers"
    return "text" if dtype.kind in "SUT" else f"{dtype}"


def is_spelled(dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    """Whether texts are stored one character an element, as netCDF does, along the last axis (CF 1.11, section 2.2)."""
    return dtype == "S1" and len(shape) > 1 and shape[-1] > 0


def joined(characters: np.ndarray) -> np.ndarray:
    """The texts that characters [..., length] spell, without the blanks and zeros that fill them up."""
    words = np.ascontiguousarray(characters).view(f"S{characters.shape[-1]}")[..., 0]
    return np.char.rstrip(np.char.decode(words, "utf-8"))
