"""Files that are written whole: readers see the old one or the new one, also after a power failure."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Hands out a path beside `path` to write to; what was written there takes its place on leaving.

    Args:
      path: of the file; its folder is made, the folder above must exist: a run that was deleted does not come back in
        parts.

    Yields:
      the path to write to, with the same ending; removed again if the writing fails.
    """
    path.parent.mkdir(exist_ok=True)
    # A dot in front: it is not found by those who look for tables.
    beside = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        yield beside
        with open(beside, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    # The new name is in the folder, which is a file of its own.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
