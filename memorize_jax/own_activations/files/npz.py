"""Activations in an npz file, or in a folder of npy files."""

import contextlib
import math
import pathlib
import zipfile
from typing import Any

import numpy as np

from memorize_jax.own_activations.files.entry import Entries, Entry, Foreign, Opening, kind_of


@contextlib.contextmanager
def npz_entries(path: pathlib.Path) -> Opening:
    """Opens an npz file of plain arrays; what holds Python objects or other members raises Foreign."""
    found: Entries = {}
    with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as content:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                raise Foreign(f"an archive that holds {member}")
            with archive.open(member) as file:
                shape, dtype = _header(file, member)
            name = member.removesuffix(".npy")
            read = lambda name=name: content[name]
            found[name] = Entry(shape, math.prod(shape) * dtype.itemsize, kind_of(dtype), read)
        yield found


@contextlib.contextmanager
def npy_entries(path: pathlib.Path) -> Opening:
    """Opens a folder of npy files, one an array, in the order of their names; those of folders below it are "a/b"."""
    found: Entries = {}
    for own in sorted(path.rglob("*.npy")):
        with own.open("rb") as file:
            shape, dtype = _header(file, own.name)
        read = lambda own=own: np.load(own, allow_pickle=False)
        name = own.relative_to(path).with_suffix("").as_posix()
        found[name] = Entry(shape, math.prod(shape) * dtype.itemsize, kind_of(dtype), read)
    yield found


def _header(file: Any, name):
    """Shape and dtype of an npy file, by its header alone."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise Foreign(f"Python objects in {name}, which are not read")
    return shape, dtype
