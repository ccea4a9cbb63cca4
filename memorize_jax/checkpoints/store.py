"""The store: networks by epoch and the newest training states, written behind the back of training."""

import errno
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from memorize_jax.checkpoints.seal import (
    NAME,
    DamagedCheckpointError,
    check_files,
    check_leaves,
    map_leaf,
    read_seal,
    write_seal,
)
from memorize_jax.checkpoints.trees import flatten, read_leaves, unflatten, write_leaves
from memorize_jax.keep import kept_epochs

# A training state is three times the size of a network and only the newest is of use: writing it takes at most this
# share of the time.
STATE_SHARE = 0.05
# Two, so that a damaged one is not the end.
NUM_STATES = 2
# The folder of networks kept in bfloat16.
SHORT = "epochs_bfloat16"


class EpochStore:
    """Networks by epoch, and the newest complete training states.

    A folder is renamed to its number once it is complete and sealed, so what has a number is whole or damaged, never
    half-written. One thread writes, one epoch behind at most. Use as a context manager; leaving it waits for
    everything to be on disk. Only one process may write (`locks.locked`).

    Args:
      folder: of the store; made when first written to.
      keep: which networks stay, see `kept_epochs`.
      keep_dtype: of those that stay; the best and the last are kept in full besides.
    """

    def __init__(self, folder: str | pathlib.Path, *, keep: str = "all", keep_dtype: str = "float32"):
        self._folder = pathlib.Path(folder)
        self._keep, self._keep_dtype = keep, keep_dtype
        self._full, self._short, self._states = (self._folder / name for name in ("epochs", SHORT, "resume"))
        self._pool = ThreadPoolExecutor(1, "checkpoints")
        self._pending: Future | None = None
        self._opened = False
        self._state_written, self._state_cost = -np.inf, 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Waits for pending writes.

        Raises:
          OSError: the last of them failed.
        """
        try:
            self.wait()
        finally:
            self._pool.shutdown()

    def wait(self) -> None:
        """Waits until everything is on disk; raises OSError if it cannot be."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    # --- writing

    def save(
        self,
        epoch: int,
        variables: dict,
        training_state: Any,
        *,
        complete: bool,
        test_accuracies: Sequence[float] | None = None,
    ) -> None:
        """Stores the network of an epoch, and from time to time the training state.

        Waits for the epoch before, copies to host memory and returns; the arrays may be donated afterwards.

        Args:
          epoch: its number.
          variables: params and batch_stats.
          training_state: pytree that resuming needs.
          complete: store the training state in any case, as at the end.
          test_accuracies: of the epochs 0 .. epoch, which decide what stays; None to keep everything in full.

        Raises:
          RuntimeError: the epoch is stored already.
          OSError: the epoch before could not be stored.
        """
        self.wait()
        self._open()
        for folder in (self._full, self._short):
            if (folder / str(epoch)).exists():
                raise RuntimeError(f"refused to save epoch {epoch}: {folder / str(epoch)} exists; forget it first")
        state = None
        if complete or time.monotonic() - self._state_written >= self._state_cost / STATE_SHARE:
            state = flatten(training_state)
            self._state_written = time.monotonic()
        self._pending = self._pool.submit(self._store, epoch, flatten(variables), state, test_accuracies)

    def rewrite(self, epoch: int, variables: dict, *, test_accuracies: Sequence[float]) -> None:
        """Stores a network again in place of one that is damaged or missing.

        Args:
          epoch: its number.
          variables: params and batch_stats, recomputed.
          test_accuracies: of all epochs so far.
        """
        self.wait()
        self._open()
        for folder in (self._full, self._short):
            _remove(folder / str(epoch))
        self._store(epoch, flatten(variables), None, test_accuracies)

    def forget_after(self, epoch: int) -> None:
        """Removes what is stored of epochs later than `epoch`, which training is about to redo."""
        self.wait()
        self._open()
        for folder in (self._full, self._short, self._states):
            for path in folder.iterdir():
                if path.name.isdecimal() and int(path.name) > epoch:
                    _remove(path)

    def _open(self):
        """Makes the folders and clears away what a killed process left, once; later they must still be there."""
        for folder in (self._full, self._short, self._states):
            if not self._opened:
                folder.mkdir(parents=True, exist_ok=True)
                for left in (*folder.glob("*.new*"), *folder.glob("*.old")):
                    shutil.rmtree(left)
            elif not folder.is_dir():
                raise FileNotFoundError(f"{folder} is gone; was the run moved or deleted?")
        self._opened = True

    def _store(self, epoch, network, state, test_accuracies):
        try:
            full, short = self._wanted(test_accuracies)
            if full is None or epoch in full:
                _write(self._full, epoch, network)
            if epoch in short:
                _write(self._short, epoch, _shortened(network))
            # After the network, so that no state stands for an epoch that has none.
            if state is not None:
                started = time.monotonic()
                _write(self._states, epoch, state)
                self._state_cost = time.monotonic() - started
                for old in self._stored(self._states)[:-NUM_STATES]:
                    _remove(self._states / str(old))
            if full is not None:
                self._prune(full, short)
        except Exception as error:
            for folder in (self._full, self._short, self._states):
                for left in folder.glob("*.new*"):
                    shutil.rmtree(left, ignore_errors=True)
            reason = " ".join(str(error).split())
            # Orbax reports a full disk in words of its own.
            number = getattr(error, "errno", None) or (errno.ENOSPC if "No space left" in reason else None)
            message = f"epoch {epoch} could not be stored in {self._folder}: {reason[:300]}"
            raise (OSError(number, message) if number else OSError(message)) from error

    def _wanted(self, test_accuracies):
        """Epochs to keep in full (None for all of them) and in short."""
        if test_accuracies is None:
            return None, frozenset()
        snapshots, full = kept_epochs(self._keep, test_accuracies)
        return (full | snapshots, frozenset()) if self._keep_dtype == "float32" else (full, snapshots)

    def _prune(self, full, short):
        for epoch in set(self._stored(self._full)) - full:
            # Stored when everything was still kept in full.
            if epoch in short and not (self._short / str(epoch)).is_dir():
                _write(self._short, epoch, _shortened(_read(self._full / str(epoch), epoch)))
            _remove(self._full / str(epoch))
        for epoch in set(self._stored(self._short)) - short:
            _remove(self._short / str(epoch))

    # --- reading

    def epochs(self) -> list[int]:
        """The stored epochs in order; a folder that holds nothing of ours is not one, whatever its name."""
        return sorted({*self._stored(self._full), *self._stored(self._short)})

    def load(self, epoch: int) -> dict:
        """Restores the network of an epoch.

        Args:
          epoch: its number.

        Returns:
          params and batch_stats with NumPy leaves, whatever device they were saved from; what was kept in bfloat16
          comes back as float32.

        Raises:
          FileNotFoundError: no such epoch; names those there are.
          DamagedCheckpointError: names the leaf.
        """
        return {"params": {}, "batch_stats": {}, **unflatten(_read(self._find(epoch), epoch))}

    def load_layers(self, epoch: int, names: Iterable[str]) -> dict:
        """Restores some layers of an epoch without reading the others.

        Args:
          epoch: its number.
          names: of modules, as the keys of params, e.g. "conv12" for kernel and bias, "conv12_bn" for scale, offset
            and running statistics; those of no parameters have no entry in the result.

        Returns:
          params and batch_stats of these alone, with NumPy leaves, checked as in `load`.

        Raises:
          FileNotFoundError: no such epoch; names those there are.
          KeyError: none of the names has parameters.
          DamagedCheckpointError: one of these layers is damaged; damage elsewhere is not looked for.
        """
        names, folder = set(names), self._find(epoch)
        seal = read_seal(folder, epoch)
        leaves = {leaf: map_leaf(folder, seal, leaf) for leaf in seal.leaves if leaf.split(".")[1] in names}
        if not leaves:
            raise KeyError(f"epoch {epoch} has no layer {', '.join(sorted(names))}")
        if any(leaf is None for leaf in leaves.values()):
            # Either this says what is damaged, or the files are laid out in another way, which Orbax knows.
            leaves = _read(folder, epoch, leaves)
        else:
            check_leaves(folder, seal, leaves)
            leaves = _as_saved(folder, leaves)
        return {"params": {}, "batch_stats": {}, **unflatten(leaves)}

    def faults(self, test_accuracies: Sequence[float], *, finished: bool) -> dict[int, str]:
        """Finds out which networks that should be stored are damaged or missing.

        Args:
          test_accuracies: of the epochs 0 .. last.
          finished: no epoch will follow: also the best must be there. Before that it may have been removed because a
            later one, which training is about to redo, was better.

        Returns:
          epoch -> what is wrong, in one sentence.
        """
        full, short = self._wanted(test_accuracies)
        snapshots, _ = kept_epochs(self._keep, test_accuracies)
        in_full, in_short = set(self._stored(self._full)), set(self._stored(self._short))
        needed = full if finished else full & snapshots if self._keep_dtype == "float32" else frozenset()
        missing = (needed - in_full) | (short - in_full - in_short)
        found = {epoch: f"epoch {epoch} is missing in {self._folder}" for epoch in missing}
        for folder, stored in ((self._full, in_full), (self._short, in_short)):
            for epoch in stored & (full | short):
                try:
                    check_files(folder / str(epoch), read_seal(folder / str(epoch), epoch))
                except DamagedCheckpointError as error:
                    found[epoch] = str(error)
        return dict(sorted(found.items()))

    def load_training_state(
        self, template: Any, *, not_after: int | None = None, on_damage: Callable[[str], None] = lambda _: None
    ) -> tuple[int, Any] | None:
        """Restores the newest training state that is sound.

        Args:
          template: a state of the same structure.
          not_after: pass over states of later epochs.
          on_damage: called with a sentence about each damaged state that is passed over.

        Returns:
          (epoch, state), or None if there is none.
        """
        for epoch in reversed(self._stored(self._states)):
            if not_after is not None and epoch > not_after:
                continue
            try:
                found = _read(self._states / str(epoch), epoch)
            except DamagedCheckpointError as error:
                on_damage(f"the training state of {error}")
                continue
            paths, structure = jax.tree_util.tree_flatten_with_path(template)
            leaves = [
                np.asarray(found[jax.tree_util.keystr(path, simple=True, separator=".")], leaf.dtype)
                for path, leaf in paths
            ]
            return epoch, jax.tree.unflatten(structure, leaves)
        return None

    def _stored(self, folder):
        if not folder.is_dir():
            return []
        # Canonical numbers that hold a seal or, if that is lost, what Orbax writes.
        return sorted(
            int(path.name)
            for path in folder.iterdir()
            if path.name.isdecimal()
            and str(int(path.name)) == path.name
            and ((path / NAME).exists() or (path / "_METADATA").exists() or (path / "_CHECKPOINT_METADATA").exists())
        )

    def _find(self, epoch):
        for folder in (self._full, self._short):
            if epoch in self._stored(folder):
                return folder / str(epoch)
        stored = self.epochs()
        span = f"{len(stored)} epochs from {stored[0]} to {stored[-1]}" if stored else "none"
        raise FileNotFoundError(f"no checkpoint of epoch {epoch} in {self._folder}; stored: {span}")


def _write(folder, epoch, leaves):
    """Writes and seals beside, then renames: what has its number is complete."""
    beside, final = folder / f"{epoch}.new", folder / str(epoch)
    shutil.rmtree(beside, ignore_errors=True)
    write_leaves(beside, leaves)
    write_seal(beside, epoch, leaves)
    if final.exists():
        _remove(final)
    os.replace(beside, final)


def _read(folder, epoch, names=None):
    seal = read_seal(folder, epoch)
    check_files(folder, seal, names)
    leaves = read_leaves(folder, seal.leaves if names is None else names)
    check_leaves(folder, seal, leaves)
    return _as_saved(folder, leaves)


def _as_saved(folder, leaves):
    return {name: _widened(leaf) for name, leaf in leaves.items()} if folder.parent.name == SHORT else leaves


def _shortened(leaves):
    half = jax.numpy.bfloat16
    return {name: leaf.astype(half) if leaf.dtype == np.float32 else leaf for name, leaf in leaves.items()}


def _widened(leaf):
    return leaf.astype(np.float32) if leaf.dtype == jax.numpy.bfloat16 else leaf


def _remove(folder):
    """Takes the number away first, so that a kill leaves no half-removed checkpoint."""
    if folder.exists():
        gone = folder.with_name(f"{folder.name}.old")
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(folder, gone)
        shutil.rmtree(gone)
