"""Rows of layers on disk, in files that vanish with the process however it ends."""

import errno
import os
import pathlib
import shutil
import tempfile
import weakref
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int, Shaped

from memorize_jax.memory import readable


class SpilledRows:
    """One temporary file for each layer, of rows in numbered slots.

    The files have no name (on Windows: are deleted when they are closed), so that nothing is left of them after an
    exception, or when the process is killed. `close()` gives the disk back before.
    """

    def __init__(self, folder: str | os.PathLike | None, widths: Mapping[str, int], dtypes: Mapping[str, np.dtype]):
        self.folder = pathlib.Path(tempfile.gettempdir() if folder is None else folder)
        if not self.folder.is_dir():
            raise ValueError(f"expected an existing folder for temporary files, got {str(self.folder)!r}")
        self.widths, self.dtypes = dict(widths), dict(dtypes)
        # Unbuffered, so that a full disk is noticed where it is written to.
        self._files = {name: tempfile.TemporaryFile(dir=self.folder, buffering=0) for name in widths}  # noqa: SIM115
        # Also where nobody closes them, without Python's warning of it.
        self.close = weakref.finalize(self, _close, list(self._files.values()))

    @property
    def row_bytes(self) -> int:
        """Bytes of one example in all layers."""
        return sum(self.dtypes[name].itemsize * width for name, width in self.widths.items())

    def check_room(self, num_rows: int) -> None:
        """Raises OSError if the disk cannot take so many more rows."""
        free = shutil.disk_usage(self.folder).free
        if (needed := num_rows * self.row_bytes) > free:
            raise self._full(f"{readable(needed)} more are needed, {readable(free)} are free")

    def write(self, name: str, slots: Int[np.ndarray, " k"], rows: Shaped[np.ndarray, "k _"]) -> None:
        """Writes rows of one layer into their slots; OSError, which names the folder, if the disk is full."""
        rows = np.ascontiguousarray(rows, self.dtypes[name])
        file, size = self._files[name], rows.itemsize * rows.shape[1]
        order = np.argsort(slots)
        try:
            for run in np.split(order, np.flatnonzero(np.diff(slots[order]) != 1) + 1):
                file.seek(int(slots[run[0]]) * size)
                left = np.ascontiguousarray(rows[run]).view(np.uint8).data.cast("B")
                while left:
                    left = left[file.write(left) :]
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise self._full(f"layer {name!r} could not be written") from error

    def read(self, name: str, first: int, count: int) -> Shaped[np.ndarray, "count _"]:
        """Reads neighboring slots of a layer, each of which has been written to."""
        rows = np.empty((count, self.widths[name]), self.dtypes[name])
        file, left = self._files[name], rows.view(np.uint8).data.cast("B")
        file.seek(first * rows.itemsize * rows.shape[1])
        while left:
            left = left[file.readinto(left) :]
        return rows

    def _full(self, why):
        advice = "folder= takes a folder on another disk, lower examples_per_class, or give fewer layers"
        return OSError(errno.ENOSPC, f"disk of {self.folder} is full: {why}; {advice}")


def _close(files):
    for file in files:
        file.close()
