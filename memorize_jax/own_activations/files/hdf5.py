"""Activations in an HDF5 file, those of MATLAB 7.3 included; the only file that knows h5py."""

import contextlib
import math
import pathlib
from typing import Any

import numpy as np
import scipy.sparse

from memorize_jax.own_activations.files.encoding import encoding_of
from memorize_jax.own_activations.files.entry import Entries, Entry, Foreign, Opening, kind_of

# Where MATLAB keeps what cells and objects point to.
HIDDEN = ("#refs#", "#subsystem#")


@contextlib.contextmanager
def hdf5_entries(path: pathlib.Path) -> Opening:
    """Opens an HDF5 file; names are the paths of its datasets, shapes those that MATLAB shows if MATLAB wrote it.

    Raises:
      Foreign: h5py is not installed; says how to.
    """
    try:
        import h5py  # pyright: ignore[reportMissingImports] (an option)
    except ImportError as error:
        raise Foreign("an HDF5 file, which needs h5py: pip install 'memorize_jax[hdf5]'") from error
    found: Entries = {}
    with h5py.File(path, "r") as file:

        def see(name, item):
            if name.split("/")[0] in HIDDEN:
                return
            if "MATLAB_sparse" in item.attrs:
                found[name] = _sparse(item)
            elif isinstance(item, h5py.Dataset):
                written = item.attrs.get("MATLAB_class")
                found[name] = _plain(h5py, item) if written is None else _matlab(h5py, file, item, written.decode())

        file.visititems(see)
        # Members of a sparse matrix are no arrays of their own.
        yield {name: entry for name, entry in found.items() if name.rpartition("/")[0] not in found}


def _sparse(group: Any) -> Entry:
    """MATLAB writes the columns of a sparse matrix one behind another; one without entries has no data."""
    shape = (int(group.attrs["MATLAB_sparse"]), group["jc"].size - 1)
    parts = ("data", "ir", "jc")
    read = lambda: scipy.sparse.csc_array(tuple(group[part][()] for part in parts), shape=shape).toarray()
    if "data" not in group:
        read = lambda: np.zeros(shape)
    return Entry(shape, 8 * math.prod(shape), "numbers", read)


def _nothing():
    raise ValueError("it is not read")


def _plain(h5py: Any, item: Any) -> Entry:
    if h5py.check_string_dtype(item.dtype):
        return Entry(item.shape, 64 * math.prod(item.shape or ()), "text", lambda: item.asstr()[()].astype(str))
    if item.shape is None:
        return Entry((), 0, "empty", _nothing)
    encoding = encoding_of(item.attrs, name=item.name.lstrip("/"))
    if encoding.changes and item.dtype.kind in "iuf":
        size = encoding.decoded_dtype(item.dtype).itemsize
        return Entry(item.shape, size * item.size, "numbers", lambda: encoding.decoded(item[()]))
    return Entry(item.shape, item.nbytes, kind_of(item.dtype), lambda: item[()])


def _matlab(h5py: Any, file: Any, item: Any, written: str) -> Entry:
    """MATLAB writes arrays with their axes in reverse, text as numbers, and cells as references."""
    shape = item.shape[::-1]
    if "MATLAB_empty" in item.attrs:
        return Entry((), 0, "empty", _nothing)
    if written == "char":
        return Entry(shape[:1], item.nbytes, "text", lambda: np.array([_text(row) for row in item[()].T]))
    if written == "cell":
        cells = [file[reference] for reference in item[()].T.ravel()]
        if not all(cell.attrs.get("MATLAB_class") == b"char" for cell in cells):
            return Entry(shape, 0, "a cell array, which cell2mat in MATLAB makes an array", _nothing)
        words = lambda: np.array([_text(cell[()].T.ravel()) for cell in cells]).reshape(shape)
        return Entry(shape, item.nbytes, "text", words)
    if item.dtype.kind == "O" or "MATLAB_object_decode" in item.attrs:
        return Entry(
            shape, 0, f"a MATLAB object ({written}), which cellstr or double in MATLAB makes readable", _nothing
        )
    return Entry(shape, item.nbytes, kind_of(item.dtype), lambda: item[()].T)


def _text(codes):
    return "" if codes.dtype.kind != "u" or not codes.any() else "".join(map(chr, codes)).rstrip()
