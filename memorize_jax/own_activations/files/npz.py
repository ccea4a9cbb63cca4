"""Activations in an npz file."""

import math
import pathlib
import zipfile

import numpy as np

from memorize_jax.memory import check_fits

# How files begin that are no npz file: what they are, and what to do.
OTHER_FILES = {
    b"version https://git-lfs": "a pointer of Git LFS; git lfs pull brings the file itself",
    b"\x93NUMPY": "an npy file, a single array; numpy.savez writes several",
    b"MATLAB 5.0": "a MATLAB file; scipy.io.loadmat reads it, numpy.savez writes its arrays",
    b"\x89HDF": "an HDF5 file, as MATLAB 7.3 writes too; h5py reads it, numpy.savez writes its arrays",
    b"PK": "a damaged one, cut short",
    b"\x80": "stored Python objects, which are not read; numpy.savez writes arrays",
}


def read_points(path: str | pathlib.Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Reads (layer -> array, labels) from an npz file.

    Args:
      path: a file with `labels` [n] and either `activations` [n, ...] or one array per layer, in order.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not an npz file of plain arrays, or no labels, or nothing but labels, or more than memory holds.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        needed = _unpacked_bytes(path)
    except Exception as error:  # zip and header readers raise whatever they raise
        raise ValueError(f"{path}: expected an npz file of plain arrays, got {error or 'a damaged one'}") from error
    check_fits(f"{path}, unpacked,", needed, "save fewer examples or layers")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except Exception as error:
        raise ValueError(f"{path}: expected an npz file of plain arrays, got a damaged one: {error}") from error
    if "labels" not in arrays or len(arrays) < 2:
        raise ValueError(f"{path}: expected arrays labels and activations (or one per layer), got {sorted(arrays)}")
    labels = arrays.pop("labels")
    return arrays, labels


def _unpacked_bytes(path):
    """Bytes of all arrays of an npz file, by their headers alone."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            start = file.read(24)
        known = [what for magic, what in OTHER_FILES.items() if start.startswith(magic)]
        raise ValueError(known[0] if known else f"a file that begins with {start!r}")
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                raise ValueError(f"an archive that holds {member}")
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
            if dtype.hasobject:
                raise ValueError(f"Python objects in {member}, which are not read")
            total += math.prod(shape) * dtype.itemsize
    return total
