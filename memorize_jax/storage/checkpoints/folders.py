"""Numbered folders, each a set of arrays with its checksums: whole or damaged, never half-written."""

import os
import pathlib
import re
import shutil
from collections.abc import Callable, Collection, Mapping

import numpy as np

from memorize_jax.storage.checkpoints.manifest import (
    NAME,
    check_files,
    check_leaves,
    raw_leaf,
    read_manifest,
    write_manifest,
)
from memorize_jax.storage.checkpoints.trees import read_leaves, write_leaves

# What is being written (Orbax adds to the name) and what is being removed; nothing else is cleared away.
UNFINISHED = re.compile(r"\d+\.(old|new(\.orbax-checkpoint-tmp.*)?)")
# A folder that lacks all of these holds nothing of ours, whatever its name.
MARKS = (NAME, "_METADATA", "_CHECKPOINT_METADATA")


def write_epoch(
    folder: pathlib.Path, epoch: int, leaves: Mapping[str, np.ndarray], identity: str | None = None
) -> None:
    """Writes arrays and their checksums beside, then renames: what has its number is complete; it replaces the old."""
    beside = folder / f"{epoch}.new"
    shutil.rmtree(beside, ignore_errors=True)
    write_leaves(beside, leaves)
    write_manifest(beside, epoch, leaves, identity)
    remove_epoch(folder, epoch)
    os.replace(beside, folder / str(epoch))


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
    numbered = [path for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
    return sorted(
        int(path.name)
        for path in numbered
        if str(int(path.name)) == path.name and any((path / mark).exists() for mark in MARKS)
    )


def read_epoch(
    folder: pathlib.Path, epoch: int, names: Collection[str] | None = None, *, identity: str | None = None
) -> dict[str, np.ndarray]:
    """Reads the arrays `names`, or all, and compares files and values with their checksums.

    Raises:
      DamagedCheckpointError: names the epoch, the leaf and what is wrong.
    """
    manifest = read_manifest(folder / str(epoch), epoch, identity)
    check_files(manifest, names)
    leaves = read_leaves(manifest.folder, manifest.leaves if names is None else names)
    check_leaves(manifest, leaves)
    return leaves


def read_some(
    folder: pathlib.Path, epoch: int, *, chosen: Callable[[str], bool], identity: str | None = None
) -> dict[str, np.ndarray]:
    """Reads the arrays whose names are `chosen`, each from its own file; checked as in `read_epoch`, and faster."""
    manifest = read_manifest(folder / str(epoch), epoch, identity)
    names = [name for name in manifest.leaves if chosen(name)]
    leaves = {name: leaf for name in names if (leaf := raw_leaf(manifest, name)) is not None}
    if len(leaves) < len(names):
        # Either this says what is damaged, or the files are laid out in another way, which Orbax knows.
        return read_epoch(folder, epoch, names, identity=identity)
    check_leaves(manifest, leaves)
    return leaves


def check_epoch(folder: pathlib.Path, epoch: int, *, identity: str | None = None) -> None:
    """Reads all files of an epoch and compares them with their checksums; raises like `read_epoch`."""
    check_files(read_manifest(folder / str(epoch), epoch, identity))
