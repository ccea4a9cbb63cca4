"""Numbered folders, each a sealed set of arrays: whole or damaged, never half-written."""

import os
import pathlib
import re
import shutil
from collections.abc import Callable, Collection

import numpy as np

from memorize_jax.storage.checkpoints.seal import NAME, check_files, check_leaves, raw_leaf, read_seal, write_seal
from memorize_jax.storage.checkpoints.trees import read_leaves, write_leaves

# What is being written (Orbax adds to the name) and what is being removed; nothing else is cleared away.
UNFINISHED = re.compile(r"\d+\.(old|new(\.orbax-checkpoint-tmp.*)?)")


def write_epoch(folder: pathlib.Path, epoch: int, leaves: dict[str, np.ndarray], identity: str | None = None) -> None:
    """Writes and seals beside, then renames: what has its number is complete.

    Args:
      folder: of all epochs.
      epoch: its number; what was stored under it is replaced.
      leaves: name -> array.
      identity: of the run.
    """
    beside = folder / f"{epoch}.new"
    shutil.rmtree(beside, ignore_errors=True)
    write_leaves(beside, leaves)
    write_seal(beside, epoch, leaves, identity)
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
    """Numbers of the checkpoints in a folder, in order.

    A checkpoint has a canonical number and holds a seal or, if that is lost, what Orbax writes.
    """
    if not folder.is_dir():
        return []
    marks = (NAME, "_METADATA", "_CHECKPOINT_METADATA")
    return sorted(
        int(path.name)
        for path in folder.iterdir()
        if path.name.isdecimal() and str(int(path.name)) == path.name and any((path / mark).exists() for mark in marks)
    )


def read_epoch(
    folder: pathlib.Path, epoch: int, names: Collection[str] | None = None, *, identity: str | None = None
) -> dict[str, np.ndarray]:
    """Reads arrays and compares files and values with their checksums.

    Args:
      folder: of all epochs.
      epoch: its number.
      names: of the arrays; None for all.
      identity: of the run; None if that is not known.

    Returns:
      name -> array.

    Raises:
      DamagedCheckpointError: names the epoch, the leaf and what is wrong.
    """
    path = folder / str(epoch)
    seal = read_seal(path, epoch, identity)
    check_files(path, seal, names)
    leaves = read_leaves(path, seal.leaves if names is None else names)
    check_leaves(path, seal, leaves)
    return leaves


def read_some(
    folder: pathlib.Path, epoch: int, chosen: Callable[[str], bool], *, identity: str | None = None
) -> dict[str, np.ndarray]:
    """Reads some arrays, each straight from its file, without touching the others; several times faster than Orbax.

    Args:
      folder: of all epochs.
      epoch: its number.
      chosen: name -> whether to read it.
      identity: of the run; None if that is not known.

    Returns:
      name -> array, checked as in `read_epoch`; empty if none is chosen.
    """
    path = folder / str(epoch)
    seal = read_seal(path, epoch, identity)
    leaves = {name: raw_leaf(path, seal, name) for name in seal.leaves if chosen(name)}
    if any(leaf is None for leaf in leaves.values()):
        # Either this says what is damaged, or the files are laid out in another way, which Orbax knows.
        return read_epoch(folder, epoch, leaves, identity=identity)
    check_leaves(path, seal, leaves)
    return leaves


def check_epoch(folder: pathlib.Path, epoch: int, *, identity: str | None = None) -> None:
    """Reads all files of an epoch and compares them with their checksums; raises like `read_epoch`."""
    check_files(folder / str(epoch), read_seal(folder / str(epoch), epoch, identity))
