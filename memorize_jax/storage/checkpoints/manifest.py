"""The checksum manifest of a checkpoint: the folder is sound if each of its files and arrays fits, byte for byte."""

import json
import math
import os
import pathlib
import zlib
from collections.abc import Collection, Mapping
from typing import NamedTuple

import jax
import numpy as np

# On disk it keeps the name that the first version gave it.
NAME = "seal.json"


class DamagedCheckpointError(ValueError):
    """A checkpoint is not what was written; the message names the epoch and the leaf."""


class Manifest(NamedTuple):
    """What a folder held when it was written.

    Attributes:
      files: path in the folder -> (bytes, CRC-32).
      leaves: name -> (CRC-32 of the array in memory, type, shape).
    """

    folder: pathlib.Path
    epoch: int
    files: dict[str, tuple[int, int]]
    leaves: dict[str, tuple[int, str, list[int]]]


def write_manifest(
    folder: pathlib.Path, epoch: int, leaves: Mapping[str, np.ndarray], identity: str | None = None
) -> None:
    """Writes the manifest of a folder that is complete, which holds `leaves` and is of the run `identity`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): _size_and_checksum(path) for path in paths}
    described = {name: (_leaf_checksum(leaf), leaf.dtype.name, leaf.shape) for name, leaf in leaves.items()}
    body = json.dumps({"epoch": epoch, "identity": identity, "files": files, "leaves": described}).encode()
    with open(folder / NAME, "wb") as stream:
        stream.write(b"%s\n%08x\n" % (body, zlib.crc32(body)))
        stream.flush()
        os.fsync(stream.fileno())


def read_manifest(folder: pathlib.Path, epoch: int, identity: str | None = None) -> Manifest:
    """Reads the manifest of a folder that should be of `epoch` and, unless that is not known, of the run `identity`.

    Raises:
      DamagedCheckpointError: it is missing, damaged, of another epoch or of another run.
    """
    try:
        body, check, end = (folder / NAME).read_bytes().split(b"\n")
        if end or check != b"%08x" % zlib.crc32(body):
            raise ValueError("other bytes than were written")
        content = json.loads(body)
    except FileNotFoundError:
        raise _damaged(epoch, f"its {NAME} is missing", folder) from None
    except ValueError as error:
        raise _damaged(epoch, f"its {NAME} has changed", folder) from error
    if content["epoch"] != epoch:
        raise _damaged(epoch, f"it is a copy of epoch {content['epoch']}", folder)
    if identity is not None and content.get("identity") != identity:
        raise _damaged(epoch, "it belongs to another run", folder)
    return Manifest(folder, epoch, content["files"], content["leaves"])


def check_files(manifest: Manifest, names: Collection[str] | None = None) -> None:
    """Compares the files of a folder with its manifest: those of the leaves `names`, or all, and those of no leaf.

    Raises:
      DamagedCheckpointError: names the epoch, the leaf and what is wrong with its file.
    """
    for relative, (size, crc) in manifest.files.items():
        leaf, _, file = relative.rpartition("/")
        if names is not None and leaf and leaf not in names:
            continue
        try:
            found = _size_and_checksum(manifest.folder / relative)
        except FileNotFoundError:
            fault = "is missing"
        except OSError as error:
            fault = f"cannot be read ({error.strerror})"
        else:
            if found == (size, crc):
                continue
            fault = "has changed" if found[0] == size else f"has {found[0]} bytes instead of {size}"
        of = f"leaf {leaf}, file {file}" if leaf else f"file {file}"
        raise _damaged(manifest.epoch, f"{of} {fault}", manifest.folder)


def check_leaves(manifest: Manifest, leaves: Mapping[str, np.ndarray]) -> None:
    """Compares arrays that were read with the manifest; raises DamagedCheckpointError."""
    for name, leaf in leaves.items():
        if _leaf_checksum(leaf) != manifest.leaves[name][0]:
            raise _damaged(manifest.epoch, f"leaf {name} has other values than were written", manifest.folder)


def raw_leaf(manifest: Manifest, name: str) -> np.ndarray | None:
    """Reads one array from its file, much faster than Orbax; None if that is not simply its bytes, or not as it was."""
    _, dtype, shape = manifest.leaves[name]
    dtype = jax.numpy.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    files = [file for file in manifest.files if file.startswith(f"{name}/") and not file.startswith(f"{name}/.")]
    if len(files) != 1 or manifest.files[files[0]][0] != size:
        return None
    path = manifest.folder / files[0]
    try:
        return np.fromfile(path, dtype).reshape(shape) if path.stat().st_size == size else None
    except (OSError, ValueError):
        return None


def _damaged(epoch, fault, folder):
    return DamagedCheckpointError(f"epoch {epoch} is damaged: {fault}, in {folder}")


def _leaf_checksum(leaf):
    """CRC-32 of an array: its type, shape and values."""
    header = f"{leaf.dtype.name}{leaf.shape}".encode()
    # As bytes: NumPy lends no buffer of bfloat16.
    return zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data, zlib.crc32(header))


def _size_and_checksum(path):
    content = path.read_bytes()
    return len(content), zlib.crc32(content)
