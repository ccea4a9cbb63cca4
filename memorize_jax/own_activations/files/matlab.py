"""Activations in a MATLAB file of version 4 or 5 (which is that of MATLAB 5 to 7); files of version 7.3 are HDF5."""

import contextlib
import math
import pathlib
import warnings
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse

from memorize_jax.own_activations.files.entry import Entries, Entry, Opening

# MATLAB's name of a kind of numbers -> bytes of one.
SIZES = {"double": 8, "sparse": 8, "single": 4, "logical": 1} | {
    f"{sign}int{8 * size}": size for sign in ("", "u") for size in (1, 2, 4, 8)
}
CELLS = "a cell array, which cell2mat in MATLAB makes an array"


@contextlib.contextmanager
def matlab_entries(path: pathlib.Path) -> Opening:
    """Opens a MATLAB file; fields of a structure are "structure/field"."""
    found: Entries = {}
    for name, shape, kind in scipy.io.whosmat(str(path)):
        if name.startswith("__"):
            continue
        if kind in SIZES:
            read = lambda name=name: _load(path, name)
            found[name] = Entry(shape, SIZES[kind] * math.prod(shape), "numbers", read)
        elif kind in ("char", "cell", "struct"):
            # What is in them is known when they are read.
            found |= _content(name, _load(path, name))
        else:
            unknown = f"a MATLAB object ({kind}), which cellstr or double in MATLAB makes readable"
            found[name] = Entry(shape, 0, unknown, lambda: np.empty(0))
    yield found


def _load(path, name) -> np.ndarray:
    with warnings.catch_warnings():
        # Of the kind of sparse matrix, which does not matter here: SciPy 1.20 gives another one.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        value = scipy.io.loadmat(str(path), variable_names=[name])[name]
    return value.toarray() if scipy.sparse.issparse(value) else value


def _content(name: str, value: Any) -> Entries:
    """What a value holds: itself, or the fields of a structure."""
    array = np.asarray(value)
    if array.dtype.fields and array.size == 1:
        one = array.ravel()[0]
        return {k: v for field in array.dtype.fields for k, v in _content(f"{name}/{field}", one[field]).items()}
    if array.dtype.kind == "O":
        words = [np.asarray(cell) for cell in array.ravel()]
        if array.size and all(word.dtype.kind == "U" and word.size < 2 for word in words):
            array = np.array(["".join(word.ravel().tolist()) for word in words]).reshape(array.shape)
    if array.dtype.kind == "U":
        return {name: Entry(array.shape, array.nbytes, "text", lambda: np.char.rstrip(array))}
    if array.dtype.kind in "biufc":
        return {name: Entry(array.shape, array.nbytes, "numbers", lambda: array)}
    other = "an array of structures" if array.dtype.fields else CELLS
    return {name: Entry(array.shape, 0, other, lambda: array)}
