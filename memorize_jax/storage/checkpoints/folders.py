"""Numbered folders of named arrays, each with a manifest of checksums: whole or damaged, never half-written.

The manifest has size and CRC-32 of every file, CRC-32, type and shape of every array as it was in memory, the epoch,
the identity of the run, and a checksum of itself.
"""

import json
import math
import os
import pathlib
import re
import shutil
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from memorize_jax.storage.checkpoints.trees import read_leaves, write_leaves
from memorize_jax.storage.files import sync

# The manifest; on disk it keeps the name that the first version gave it.
MANIFEST = "seal.json"
# A folder that lacks all of these holds nothing of ours, whatever its name.
MARKS = (MANIFEST, "_METADATA", "_CHECKPOINT_METADATA")
# What is being written (Orbax adds to the name) and what is being removed; nothing else is cleared away.
UNFINISHED = re.compile(r"\d+\.(old|new(\.orbax-checkpoint-tmp.*)?)")


class DamagedCheckpointError(ValueError):
    """A checkpoint is not what was written; the message names the epoch and the leaf."""


class _Manifest(NamedTuple):
    folder: pathlib.Path
    epoch: int
    files: dict[str, tuple[int, int]]
    leaves: dict[str, tuple[int, str, list[int]]]


def write_epoch(
    folder: pathlib.Path,
    epoch: int,
    leaves: Mapping[str, np.ndarray],
    identity: str | None,
    *,
    write: Callable[[pathlib.Path, Mapping[str, np.ndarray]], None] = write_leaves,
) -> None:
    """Writes arrays and their manifest beside, then renames: what has its number is complete; it replaces the old.

    `write` writes the arrays into a folder that does not exist, as `trees.write_leaves`. Another process can read what
    has its number, but only `put_on_disk` lets it outlast a power failure.
    """
    beside = folder / f"{epoch}.new"
    shutil.rmtree(beside, ignore_errors=True)
    write(beside, leaves)
    paths = sorted(path for path in beside.rglob("*") if path.is_file())
    files = {path.relative_to(beside).as_posix(): _size_and_checksum(path) for path in paths}
    body = json.dumps({"epoch": epoch, "identity": identity, "files": files, "leaves": _described(leaves)}).encode()
    (beside / MANIFEST).write_bytes(b"%s\n%08x\n" % (body, zlib.crc32(body)))
    remove_epoch(folder, epoch)
    os.replace(beside, folder / str(epoch))


def put_on_disk(folder: pathlib.Path, epochs: Iterable[int]) -> None:
    """Returns when these epochs, if they are still there, would outlast a power failure."""
    if sys.platform == "linux":
        # Waits for all files at once: one flush of the disk instead of one for each of thousands of small files.
        os.sync()
        return
    for path in (folder / str(epoch) for epoch in epochs):
        for own in (*path.rglob("*"), path):
            sync(own)


def remove_epoch(folder: pathlib.Path, epoch: int) -> None:
    """Takes the number away first, so that a kill leaves no half-removed checkpoint; nothing there is fine."""
    path, gone = folder / str(epoch), folder / f"{epoch}.old"
    if path.exists():
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(path, gone)
        shutil.rmtree(gone)


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what a killed or failed process left of its writing and removing."""
    for left in folder.iterdir():
        if UNFINISHED.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)


def stored_epochs(folder: pathlib.Path) -> list[int]:
    """Numbers of the checkpoints in a folder, in order; they have canonical names, and perhaps lost their manifest."""
    names = [path.name for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
    return sorted(int(name) for name in names if str(int(name)) == name and is_stored(folder, int(name)))


def is_stored(folder: pathlib.Path, epoch: int) -> bool:
    """Whether the checkpoint of an epoch is in a folder, perhaps without its manifest."""
    return any((folder / str(epoch) / mark).exists() for mark in MARKS)


def read_epoch(
    folder: pathlib.Path, epoch: int, chosen: Callable[[str], bool] | None = None, *, identity: str | None = None
) -> dict[str, np.ndarray]:
    """Reads the arrays whose names are `chosen`, each from its own file, and compares them with their checksums.

    Without a choice all are read, and every file of the folder is compared besides. Raises DamagedCheckpointError.
    """
    manifest = _read_manifest(folder, epoch, identity)
    if chosen is None:
        _check_files(manifest)
    names = [name for name in manifest.leaves if chosen is None or chosen(name)]
    leaves = {name: leaf for name in names if (leaf := raw_leaf(manifest, name)) is not None}
    if len(leaves) < len(names):
        # Either this says what is damaged, or the files are laid out in another way, which Orbax knows.
        _check_files(manifest, names)
        leaves = read_leaves(manifest.folder, names)
    for name, leaf in leaves.items():
        if _leaf_checksum(leaf) != manifest.leaves[name][0]:
            raise _damaged(manifest.folder, epoch, f"leaf {name} has other values than were written")
    return leaves


def check_epoch(folder: pathlib.Path, epoch: int, *, identity: str | None = None) -> None:
    """Reads all files of an epoch and compares them with their checksums; raises like `read_epoch`."""
    _check_files(_read_manifest(folder, epoch, identity))


def arrays_checksum(folder: pathlib.Path, epoch: int, *, identity: str | None = None) -> str:
    """A checksum of the arrays of an epoch as they were written, of their names, types and shapes; none is read."""
    return _checksum_of(_read_manifest(folder, epoch, identity).leaves)


def is_written_as(
    folder: pathlib.Path, epoch: int, leaves: Mapping[str, np.ndarray], *, identity: str | None = None
) -> bool | None:
    """Whether an epoch was written with these arrays, however damaged they are now; None if that is not known."""
    try:
        return arrays_checksum(folder, epoch, identity=identity) == _checksum_of(_described(leaves))
    except DamagedCheckpointError:
        return None


def raw_leaf(manifest: _Manifest, name: str) -> np.ndarray | None:
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


def _read_manifest(folder, epoch, identity):
    path = folder / str(epoch)
    try:
        body, check, end = (path / MANIFEST).read_bytes().split(b"\n")
        if end or check != b"%08x" % zlib.crc32(body):
            raise ValueError("other bytes than were written")
        content = json.loads(body)
    except FileNotFoundError:
        raise _damaged(path, epoch, f"its {MANIFEST} is missing") from None
    except ValueError as error:
        raise _damaged(path, epoch, f"its {MANIFEST} has changed") from error
    if content["epoch"] != epoch:
        raise _damaged(path, epoch, f"it is a copy of epoch {content['epoch']}")
    if identity is not None and content.get("identity") != identity:
        raise _damaged(path, epoch, "it belongs to another run")
    return _Manifest(path, epoch, content["files"], content["leaves"])


def _check_files(manifest, names=None):
    for relative, (size, crc) in manifest.files.items():
        leaf, _, file = relative.rpartition("/")
        if names is not None and leaf and leaf not in names:  # files of no leaf are compared in any case
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
        raise _damaged(manifest.folder, manifest.epoch, f"{of} {fault}")


def _damaged(path, epoch, fault):
    return DamagedCheckpointError(f"epoch {epoch} is damaged: {fault}, in {path}")


def _checksum_of(described):
    return f"{zlib.crc32(json.dumps(described, sort_keys=True).encode()):08x}"


def _described(leaves):
    return {name: (_leaf_checksum(leaf), leaf.dtype.name, leaf.shape) for name, leaf in leaves.items()}


def _leaf_checksum(leaf):
    header = f"{leaf.dtype.name}{leaf.shape}".encode()
    # As bytes: NumPy lends no buffer of bfloat16.
    return zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data, zlib.crc32(header))


def _size_and_checksum(path):
    content = path.read_bytes()
    return len(content), zlib.crc32(content)
