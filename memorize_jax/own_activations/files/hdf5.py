"""Activations in an HDF5 file, those of MATLAB 7.3 included; the only file that knows h5py."""

import contextlib
import math
import pathlib
from typing import Any

import numpy as np
import scipy.sparse

from memorize_jax.own_activations.files.encoding import default_fills, encoding_of
from memorize_jax.own_activations.files.entry import Entries, Entry, Foreign, Opening, is_spelled, joined, kind_of

# Where MATLAB keeps what cells and objects point to.
HIDDEN = ("#refs#", "#subsystem#")
# The attribute of a file that the library of netCDF wrote.
OF_NETCDF = "_NCProperties"


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
        named: dict[Any, str] = {}
        for name, item in _items(h5py, file):
            if name.split("/")[0] in HIDDEN:
                continue
            if item is None:
                found[name] = Entry((), 0, "a link that leads nowhere", _nothing)
                continue
            if "MATLAB_sparse" in item.attrs:
                entry = _sparse(item)
            elif isinstance(item, h5py.Dataset):
                written = item.attrs.get("MATLAB_class")
                entry = _plain(h5py, item) if written is None else _matlab(h5py, file, item, written.decode())
            else:
                continue
            found[name] = entry._replace(same_as=named.get(item, ""))
            named.setdefault(item, name)
        # Members of a sparse matrix are no arrays of their own.
        yield {name: entry for name, entry in found.items() if name.rpartition("/")[0] not in found}


def _items(h5py: Any, file: Any) -> list[tuple[str, Any]]:
    """(Path, object) of all that a file holds, once each, then of other links to it and to other files.

    A link that leads nowhere has None. Of a group behind a link those are named that it holds itself: links in it are
    not followed, for they may go round.
    """
    own: dict[str, Any] = {}
    links: list[str] = []
    file.visititems(own.__setitem__)
    file.visit_links(links.append)
    for name in links:
        if name in own:
            continue
        try:
            own[name] = file[name]
        except (KeyError, OSError):
            own[name] = None
        if isinstance(own[name], h5py.Group):
            own[name].visititems(lambda inner, item, name=name: own.__setitem__(f"{name}/{inner}", item))
    return list(own.items())


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
    if is_spelled(item.dtype, item.shape or ()):
        return Entry(item.shape[:-1], 4 * item.size, "text", lambda: joined(item[()]))
    if h5py.check_string_dtype(item.dtype):
        return Entry(item.shape, 64 * math.prod(item.shape or ()), "text", lambda: item.asstr()[()].astype(str))
    if item.shape is None:
        return Entry((), 0, "empty", _nothing)
    is_netcdf = OF_NETCDF in item.file.attrs and item.dtype.kind in "iuf"
    own = default_fills(item.attrs, item.dtype, item.fillvalue) if is_netcdf else ()
    encoding = encoding_of(item.attrs, name=item.name.lstrip("/"), dtype=item.dtype, own_fills=own)
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
