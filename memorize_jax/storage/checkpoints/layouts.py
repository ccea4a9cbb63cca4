"""Small checkpoints written as Orbax lays them out, without the asynchronous machinery that it needs for large ones."""

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from memorize_jax.storage.checkpoints.trees import write_leaves

# Beyond it Orbax, which writes many arrays at a time, is no slower.
MOST_BYTES = 2**24


class Layout(NamedTuple):
    """The files of a checkpoint that Orbax has written.

    Attributes:
      leaves: name of an array -> path of the file that is nothing but its bytes.
      others: path of every other file -> its content.
      folder: that it was written to; Orbax names it in one of these.
    """

    leaves: dict[str, str]
    others: dict[str, bytes]
    folder: pathlib.Path


def leaf_writer() -> Callable[[pathlib.Path, Mapping[str, np.ndarray]], None]:
    """Returns a function that does what `trees.write_leaves` does.

    Orbax writes the first checkpoint of arrays of some names, types and shapes. Later ones have the same files but for
    the arrays' bytes, and are written so; Orbax reads both alike. They are not on disk yet when the function returns.
    """
    known: dict[tuple, Layout | None] = {}

    def write(folder, leaves):
        described = tuple((name, leaf.dtype.name, leaf.shape) for name, leaf in leaves.items())
        layout = known.get(described)
        if layout is not None:
            _write_files(folder, {layout.leaves[name]: leaf.tobytes() for name, leaf in leaves.items()})
            before, now = (os.fsencode(path.absolute()) for path in (layout.folder, folder))
            _write_files(folder, {path: content.replace(before, now) for path, content in layout.others.items()})
            return
        write_leaves(folder, leaves)
        if described not in known and sum(leaf.nbytes for leaf in leaves.values()) <= MOST_BYTES:
            known[described] = _layout_of(folder, leaves)

    return write


def _layout_of(folder, leaves):
    """The layout of what was just written; None where an array is not in one file, as its bytes."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    found = {}
    for name, leaf in leaves.items():
        own = [path for path in contents if path.startswith(f"{name}/") and not path.startswith(f"{name}/.")]
        if len(own) != 1 or contents[own[0]] != leaf.tobytes():
            return None
        found[name] = own[0]
    others = {path: content for path, content in contents.items() if path not in found.values()}
    return Layout(found, others, folder)


def _write_files(folder, contents):
    for relative, content in contents.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
