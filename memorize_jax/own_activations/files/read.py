"""Activations and labels from a file or a folder, whatever its format: it is told by what it holds, not by its name."""

import os
import pathlib
import warnings
import zipfile
from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from memorize_jax.memory import check_fits
from memorize_jax.own_activations.files.choice import Refused, example_axis, find_entry, find_layers, what_of
from memorize_jax.own_activations.files.entry import Entries, Foreign, Opened, each_once, without
from memorize_jax.own_activations.files.hdf5 import hdf5_entries
from memorize_jax.own_activations.files.matlab import matlab_entries
from memorize_jax.own_activations.files.npz import npy_entries, npz_entries
from memorize_jax.own_activations.files.zarr_groups import MARKS, zarr_entries

HDF5 = b"\x89HDF\r\n\x1a\n"
# How files begin that are not read: what they are, and what to do.
OTHER_FILES = {
    b"version https://git-lfs": "a pointer of Git LFS; git lfs pull brings the file itself",
    b"\x93NUMPY": "an npy file, a single array; give the folder of it and labels.npy, or numpy.savez writes several",
    b"PK": "a damaged one, cut short",
    b"\x80": "stored Python objects, which are not read; numpy.savez writes arrays",
}
FORMATS = "npz, a folder of npy files, HDF5, MATLAB or zarr"
Layers = dict[str, Shaped[np.ndarray, "n ..."]]
Path = str | os.PathLike


def read_activations(
    path: Path,
    labels: str | None = "labels",
    layers: Sequence[str] | str | None = None,
    *,
    trial_axis: int | None = None,
) -> tuple[Layers, np.ndarray | None]:
    """Reads (layer -> array [n, ...], labels [n]) from a file or a folder.

    npz; a folder of npy files; HDF5 (datasets in groups are "group/dataset"); MATLAB, of all versions (fields
    of a structure are "structure/field"); zarr, of formats 2 and 3. Memory is checked before arrays are read, and no
    Python objects ever are. Links in HDF5 are names as others are, but an array with several is read once.

    Attributes of arrays in HDF5 and zarr are heeded as those of netCDF are: numbers that `_FillValue` or
    `missing_value` names, or beyond `valid_min`, `valid_max` or `valid_range`, become NaN, and integers with such
    floating point; so do those that the library of netCDF fills in by itself, and the fill value of what xarray wrote
    to zarr of format 2. Integers with `_Unsigned` are read without a sign. Numbers with `scale_factor` or `add_offset`
    become what they were before they were packed.

    Args:
      labels: name of the labels in the file, with or without the path to it; numbers, text, a cell array of text; a
        column or a row. Whole floats, as MATLAB writes all numbers, become integers, and NaN among them -1, which
        stands for no class. None reads none.
      layers: names or patterns ("V*"), in the order wanted; None for all arrays of numbers of which one axis is as long
        as there are labels.
      trial_axis: the axis of the examples, which is put first, in all layers. None finds it by its length, and where
        several axes have that length takes the first in npz, npy and zarr; recordings in HDF5 and MATLAB are as often
        [units, trials], so there it asks.

    Warns:
      UserWarning: arrays that are no layers are left out; names them.

    Raises:
      FileNotFoundError: no such file or folder.
      ValueError: another format, or a damaged file; no labels, no layers; more than memory holds; an axis that is not
        clear. Names the file, and the array.
    """
    return read_file(path, labels, layers, trial_axis=trial_axis, count=None)


read_points = read_activations


def read_file(
    path: Path, labels: str | None, layers: Sequence[str] | str | None, *, trial_axis: int | None, count: int | None
) -> tuple[Layers, np.ndarray | None]:
    """Does what `read_activations` says; `count` examples, if that is known and labels are not in the file."""
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    try:
        opened, is_first = _open(path)
        with opened as entries:
            found, noted, left_out = _read(entries, labels, layers, trial_axis, count, is_first)
    except Refused as error:
        raise ValueError(f"{path}: {error}") from error.__cause__
    except Foreign as error:
        raise ValueError(f"{path}: expected {FORMATS}, got {error}") from error
    except Exception as error:  # readers raise whatever they raise
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: expected {FORMATS}, got a damaged one: {said}") from error
    if left_out:
        warnings.warn(f"{path}: {left_out}", stacklevel=3)
    return found, noted


def _open(path) -> tuple[Opened, bool]:
    """What opens a path, and whether examples come first in such files where that is not clear otherwise."""
    if path.is_dir():
        if any((path / mark).is_file() for mark in MARKS):
            return zarr_entries(path), True
        if any(path.rglob("*.npy")):
            return npy_entries(path), True
        raise Foreign("a folder with neither npy files nor a zarr group")
    with path.open("rb") as file:
        start = file.read(520)
    if start.startswith(HDF5) or start[512:].startswith(HDF5):
        return hdf5_entries(path), False
    # Version 4 begins with a small number.
    if start.startswith(b"MATLAB 5.0") or (path.suffix == ".mat" and 0 in start[:4]):
        return matlab_entries(path), False
    if zipfile.is_zipfile(path):
        return npz_entries(path), True
    known = [what for magic, what in OTHER_FILES.items() if start.startswith(magic)]
    raise Foreign(known[0] if known else f"a file that begins with {start[:24]!r}")


def _read(entries: Entries, labels, layers, trial_axis, count, is_first):
    noted = None
    if labels is not None:
        name = find_entry(labels, entries)
        entry = entries[name]
        entries = without(name, entries)
        if entry.kind not in ("numbers", "text"):
            raise Refused(f"expected numbers or text as {name}, got {entry.kind}")
        count = int(np.prod(entry.shape)) if sum(size > 1 for size in entry.shape) < 2 else entry.shape[0]
        if count == 1:
            raise Refused(f"expected a label for every example in {name}, got a single one")
    names = each_once(entries, entries) if layers is None else find_layers(layers, entries)
    axes, others = {}, []
    for name in names:
        axis = example_axis(name, entries[name], count, trial_axis, is_first=is_first, is_asked=layers is not None)
        if axis is None:
            others.append(f"{name} {what_of(entries[name])}")
        else:
            axes[name] = axis
    if not axes:
        there = ", ".join(others) or "nothing else"
        raise Refused(f"expected layers of {count} examples, as many as there are labels, got {there}")
    # One layer at a time stands there twice, where its axes are brought into order.
    moved = max((entries[name].num_bytes for name, axis in axes.items() if axis), default=0)
    needed = moved + sum(entries[name].num_bytes for name in axes)
    try:
        check_fits("the layers, unpacked,", needed, "name those to read by layers=, or save fewer examples")
    except ValueError as error:
        raise Refused(str(error)) from error
    if labels is not None:
        noted = _as_classes(entry.read())
    found = {}
    for name, axis in axes.items():
        values = np.ascontiguousarray(np.moveaxis(entries[name].read(), axis, 0))
        found[name] = values[:, None] if values.ndim == 1 else values
    said = f"no layers of {count} examples, left out: {', '.join(others)}; layers= names those to read"
    return found, noted, said if others else ""


def _as_classes(labels):
    """Whole floats as integers, with -1 for NaN; a row or a column as a vector."""
    labels = np.asarray(labels)
    labels = labels.ravel() if sum(size > 1 for size in labels.shape) < 2 else labels
    if labels.dtype.kind != "f" or not labels.size:
        return labels
    is_missing = np.isnan(labels)
    whole = np.where(is_missing, -1, labels)
    return whole.astype(np.int64) if np.all(whole == np.rint(whole)) and np.abs(whole).max() < 2**53 else labels
