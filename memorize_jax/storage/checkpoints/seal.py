"""Checksums: a folder is a checkpoint if its seal fits, byte for byte and leaf for leaf."""

import json
import math
import os
import pathlib
import zlib
from collections.abc import Collection
from typing import NamedTuple

import jax
import numpy as np

NAME = "seal.json"


class DamagedCheckpointError(ValueError):
    """A checkpoint is not what was written; the message names the epoch and the leaf."""


class Seal(NamedTuple):
    """What a folder held when it was written.

    Attributes:
      epoch: its number.
      files: path in the folder -> (bytes, CRC-32).
      leaves: name -> (CRC-32 of the array in memory, type, shape).
    """

    epoch: int
    files: dict[str, tuple[int, int]]
    leaves: dict[str, tuple[int, str, list[int]]]


def leaf_checksum(leaf: np.ndarray) -> int:
    """CRC-32 of an array: its type, shape and values."""
    header = f"{leaf.dtype.name}{leaf.shape}".encode()
    # As bytes: NumPy lends no buffer of bfloat16.
    return zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8), zlib.crc32(header))


def write_seal(folder: pathlib.Path, epoch: int, leaves: dict[str, np.ndarray], identity: str | None = None) -> None:
    """Seals a folder that is complete.

    Args:
      folder: with the files.
      epoch: of the network or state in it.
      leaves: the arrays that were written, by name.
      identity: of the run they belong to; None if it has none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): _size_and_checksum(path) for path in paths}
    described = {name: (leaf_checksum(leaf), leaf.dtype.name, leaf.shape) for name, leaf in leaves.items()}
    body = json.dumps({"epoch": epoch, "identity": identity, "files": files, "leaves": described})
    with open(folder / NAME, "w", encoding="ascii") as stream:
        stream.write(f"{body}\n{zlib.crc32(body.encode()):08x}\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_seal(folder: pathlib.Path, epoch: int, identity: str | None = None) -> Seal:
    """Reads the seal of a folder.

    Args:
      folder: of the checkpoint.
      epoch: that it should be of.
      identity: of the run that it should belong to; None if that is not known.

    Raises:
      DamagedCheckpointError: the seal is missing, damaged, of another epoch or of another run.
    """
    try:
        body, check, end = (folder / NAME).read_bytes().split(b"\n")
        if end or check != f"{zlib.crc32(body):08x}".encode():
            raise ValueError("other bytes than were written")
        content = json.loads(body)
    except FileNotFoundError:
        raise DamagedCheckpointError(f"epoch {epoch} is damaged: its {NAME} is missing, in {folder}") from None
    except ValueError as error:
        raise DamagedCheckpointError(f"epoch {epoch} is damaged: its {NAME} has changed, in {folder}") from error
    if content["epoch"] != epoch:
        raise DamagedCheckpointError(f"epoch {epoch} is damaged: it is a copy of epoch {content['epoch']}, in {folder}")
    if identity is not None and content.get("identity") != identity:
        raise DamagedCheckpointError(f"epoch {epoch} is damaged: it belongs to another run, in {folder}")
    return Seal(epoch, content["files"], content["leaves"])


def check_files(folder: pathlib.Path, seal: Seal, names: Collection[str] | None = None) -> None:
    """Compares the files of a folder with its seal.

    Args:
      folder: of the checkpoint.
      seal: of it.
      names: of the leaves whose files matter, besides those of no leaf; None for all.

    Raises:
      DamagedCheckpointError: names the epoch, the leaf and what is wrong with its file.
    """
    for relative, (size, checksum) in seal.files.items():
        leaf, _, file = relative.rpartition("/")
        if names is not None and leaf and leaf not in names:
            continue
        try:
            found = _size_and_checksum(folder / relative)
        except FileNotFoundError:
            fault = "is missing"
        except OSError as error:
            fault = f"cannot be read ({error.strerror})"
        else:
            if found == (size, checksum):
                continue
            fault = "has changed" if found[0] == size else f"has {found[0]} bytes instead of {size}"
        of = f"leaf {leaf}, file {file}" if leaf else f"file {file}"
        raise DamagedCheckpointError(f"epoch {seal.epoch} is damaged: {of} {fault}, in {folder}")


def check_leaves(folder: pathlib.Path, seal: Seal, leaves: dict[str, np.ndarray]) -> None:
    """Compares arrays that were read with the seal; raises DamagedCheckpointError."""
    for name, leaf in leaves.items():
        if leaf_checksum(leaf) != seal.leaves[name][0]:
            raise DamagedCheckpointError(
                f"epoch {seal.epoch} is damaged: leaf {name} has other values than were written, in {folder}"
            )


def raw_leaf(folder: pathlib.Path, seal: Seal, name: str) -> np.ndarray | None:
    """Reads one array from its file, which is much faster than asking Orbax.

    Args:
      folder: of the checkpoint.
      seal: of it.
      name: of the leaf.

    Returns:
      The array, to be compared by `check_leaves`; None if its file is not simply its bytes, or not as it was.
    """
    _, dtype, shape = seal.leaves[name]
    dtype = jax.numpy.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    files = [file for file in seal.files if file.startswith(f"{name}/") and not file.startswith(f"{name}/.")]
    if len(files) != 1 or seal.files[files[0]][0] != size:
        return None
    try:
        if (folder / files[0]).stat().st_size != size:
            return None
        return np.fromfile(folder / files[0], dtype).reshape(shape)
    except (OSError, ValueError):
        return None


def _size_and_checksum(path):
    content = path.read_bytes()
    return len(content), zlib.crc32(content)
