"""Activations in a zarr group; the only file that knows zarr."""

import contextlib
import math
import pathlib
import warnings

import numpy as np

from memorize_jax.own_activations.files.encoding import encoding_of
from memorize_jax.own_activations.files.entry import Entries, Entry, Foreign, Opening, is_spelled, joined, kind_of

# What xarray marks its arrays with in format 2, where it keeps `_FillValue` as the fill value of the array.
OF_XARRAY = "_ARRAY_DIMENSIONS"
# A folder that holds one of these is a zarr group or array, of format 3 or 2.
MARKS = ("zarr.json", ".zgroup", ".zarray")


@contextlib.contextmanager
def zarr_entries(path: pathlib.Path) -> Opening:
    """Opens a zarr group of format 2 or 3; names are the paths of its arrays, sorted.

    Raises:
      Foreign: zarr is not installed; says how to.
    """
    try:
        import zarr  # pyright: ignore[reportMissingImports] (an option)
    except ImportError as error:
        raise Foreign("a zarr group, which needs zarr: pip install 'memorize_jax[zarr]'") from error
    group = zarr.open_group(str(path), mode="r")
    found: Entries = {}
    for name, item in sorted(group.members(max_depth=None)):
        if isinstance(item, zarr.Array):
            dtype = np.dtype(item.dtype)
            kind = "text" if dtype.kind == "O" else kind_of(dtype)
            if is_spelled(dtype, item.shape):
                spelled = lambda name=name, item=item: joined(_read(name, item))
                found[name] = Entry(item.shape[:-1], 4 * math.prod(item.shape), "text", spelled)
                continue
            is_marked = item.metadata.zarr_format == 2 and OF_XARRAY in item.attrs and dtype.kind in "iuf"
            own = (np.asarray(item.fill_value).item(),) if is_marked and item.fill_value is not None else ()
            encoding = encoding_of(item.attrs, name=name, dtype=dtype, own_fills=own)
            is_other = encoding.changes and dtype.kind in "iuf"
            size = (encoding.decoded_dtype(dtype) if is_other else dtype).itemsize
            read = lambda name=name, item=item, encoding=encoding: encoding.decoded(_read(name, item))
            found[name] = Entry(item.shape, math.prod(item.shape) * size, kind, read)
    yield found


def _read(name, item) -> np.ndarray:
    # What is not stored is read as the fill value, whether it was that or was lost.
    if lacking := item.nchunks - item.nchunks_initialized:
        warnings.warn(
            f"array {name!r}: {lacking} of {item.nchunks} chunks are not stored and were read as {item.fill_value}",
            stacklevel=4,
        )
    return np.asarray(item[...])
