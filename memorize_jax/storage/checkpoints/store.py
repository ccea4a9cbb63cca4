"""The store: networks by epoch and the newest training states, written asynchronously by a background thread."""

import errno
import pathlib
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import jax
import numpy as np

from memorize_jax.storage.checkpoints import folders
from memorize_jax.storage.checkpoints.folders import DamagedCheckpointError
from memorize_jax.storage.checkpoints.layouts import leaf_writer
from memorize_jax.storage.checkpoints.stored import StoredEpochs, cast
from memorize_jax.storage.checkpoints.trees import flatten

# A training state is three times the size of a network and only the newest is of use: writing it takes at most this
# share of the time.
STATE_SHARE = 0.02
# Two, so that a damaged one is not the end.
NUM_STATES = 2


class EpochStore(StoredEpochs):
    """Networks by epoch, and the newest complete training states: those of `StoredEpochs`, written.

    A folder is renamed to its number once it is complete with its checksums, so what has a number is whole or damaged,
    never half-written. One thread writes, one epoch behind at most. Networks that stay only until another is better, or
    later, wait in memory for the next training state: what follows the newest state is trained again after a kill. Use
    as a context manager; leaving it writes all that waits. Only one process may write (`lock.locked`).

    Args are those of `StoredEpochs`.
    """

    def __init__(
        self, folder: str | pathlib.Path, *, keep: str = "all", keep_dtype: str = "float32", identity: str | None = None
    ):
        super().__init__(folder, keep=keep, keep_dtype=keep_dtype, identity=identity)
        self._pool = ThreadPoolExecutor(1, "checkpoints")
        self._write_leaves = leaf_writer()
        self._pending: Future | None = None
        self._opened = False
        # Networks by epoch, and what stays, in full and short, once they are written.
        self._waiting: dict[int, dict[str, np.ndarray]] = {}
        self._staying: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
        self._not_on_disk: dict[pathlib.Path, list[int]] = {}
        self._state_written, self._state_cost = -np.inf, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Writes what waits for a training state, and returns when all is on disk; raises OSError if it cannot be."""
        try:
            self.wait()
            if self._waiting:
                self._open()
                self._store(max(self._waiting), [], self._take_waiting(), self._staying)
            self._put_on_disk()
        finally:
            self._pool.shutdown()

    def wait(self) -> None:
        """Waits until what is being written is on disk; raises OSError if it cannot be."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def save(
        self,
        epoch: int,
        variables: dict,
        training_state: Any,
        *,
        complete: bool,
        test_accuracies: Sequence[float] | None = None,
    ) -> bool:
        """Stores the network of an epoch, and from time to time the training state; returns whether it did that.

        Waits for the epoch before, copies to host memory and returns; the arrays may be donated afterward. The network
        that stays only as the best or the last so far is written with the next training state, or at the end.

        Args:
          training_state: pytree that resuming needs; None to store none.
          complete: store the training state in any case, as at the end.
          test_accuracies: of the epochs 0 .. epoch, which decide what stays; None to keep everything in full.

        Raises RuntimeError if the epoch is stored already, OSError if the one before could not be.
        """
        self._open()
        for path in (self._full / str(epoch), self._short / str(epoch)):
            if path.exists():
                raise RuntimeError(
                    f"refused to save epoch {epoch}: {path} exists; call forget_after({epoch - 1}) first"
                )
        state = None
        due = complete or time.monotonic() - self._state_written >= self._state_cost / STATE_SHARE
        if training_state is not None and due:
            state = flatten(training_state)
            self._state_written = time.monotonic()
        network = flatten(variables)
        if test_accuracies is None:
            writes = [(self._full, epoch, network)]
        else:
            full, short = self._staying = self._wanted(test_accuracies)
            lasting = self._lasting(test_accuracies)
            writes = self._writes(epoch, network, lasting, short)
            waiting = {**self._waiting, epoch: network}
            self._waiting = {at: own for at, own in waiting.items() if at in full - lasting}
        if state is not None:
            with_state = [*self._take_waiting(), (self._states, epoch, state)]
            staying = None if test_accuracies is None else self._staying
            self._pending = self._pool.submit(self._store, epoch, writes, with_state, staying)
        elif writes:
            self._pending = self._pool.submit(self._store, epoch, writes, [], None)
        return state is not None

    def rewrite(self, epoch: int, variables: dict, *, test_accuracies: Sequence[float]) -> None:
        """Stores a recomputed network in place of one that is damaged or missing; `test_accuracies` are all so far."""
        self._open()
        for folder in (self._full, self._short):
            folders.remove_epoch(folder, epoch)
        staying = self._wanted(test_accuracies)
        self._store(epoch, self._writes(epoch, flatten(variables), *staying), [], staying)

    def forget_after(self, epoch: int) -> None:
        """Removes what is stored of epochs later than `epoch`, which training is about to redo."""
        self._open()
        for folder in (self._full, self._short, self._states):
            for path in folder.iterdir():
                if path.name.isdecimal() and int(path.name) > epoch:
                    folders.remove_epoch(folder, int(path.name))

    def tidy(self, test_accuracies: Sequence[float]) -> None:
        """Removes networks that do not stay: a kill left them, or other ones were to stay."""
        self._open()
        self._prune(*self._wanted(test_accuracies))

    def _open(self):
        self.wait()
        # Made, and cleared of what a killed process left, once; later they must still be there.
        for folder in (self._full, self._short, self._states):
            if not self._opened:
                folder.mkdir(parents=True, exist_ok=True)
                folders.remove_unfinished(folder)
            elif not folder.is_dir():
                raise FileNotFoundError(f"{folder} is gone; was the run moved or deleted?")
        self._opened = True

    def _writes(self, epoch, network, full, short):
        return [(folder, epoch, network) for folder, of in ((self._full, full), (self._short, short)) if epoch in of]

    def _take_waiting(self):
        waiting, self._waiting = self._waiting, {}
        return [(self._full, epoch, network) for epoch, network in sorted(waiting.items())]

    def _store(self, epoch, writes, with_state, staying):
        """Writes (folder, epoch, arrays), one after the other, and then removes what is not among those `staying`.

        What follows the newest training state is trained again after a power failure: until the next one networks need
        not be on disk.
        """
        try:
            for write in writes:
                self._write(*write)
            # Last the state, so that none stands for an epoch that has no network.
            started = time.monotonic()
            for write in with_state:
                if write[0] == self._states:
                    self._put_on_disk()
                self._write(*write)
            if with_state:
                self._put_on_disk()
                self._state_cost = time.monotonic() - started
                for old in folders.stored_epochs(self._states)[:-NUM_STATES]:
                    folders.remove_epoch(self._states, old)
            if staying is not None:
                self._prune(*staying)
        except Exception as error:
            for folder in (self._full, self._short, self._states):
                folders.remove_unfinished(folder)
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:300]
            failure = OSError(f"epoch {epoch} could not be stored in {self._folder}: {reason}")
            # Orbax reports a full disk in words of its own.
            failure.errno = getattr(error, "errno", None) or (errno.ENOSPC if "No space left" in reason else None)
            raise failure from error

    def _prune(self, full, short):
        for epoch in set(folders.stored_epochs(self._full)) - full:
            # Stored when everything was still kept in full.
            if epoch in short and not (self._short / str(epoch)).is_dir():
                try:
                    network = self._read(self._full, epoch)
                except DamagedCheckpointError:  # it stays, so that it is known to be damaged
                    continue
                self._write(self._short, epoch, network)
            folders.remove_epoch(self._full, epoch)
        for epoch in set(folders.stored_epochs(self._short)) - short:
            folders.remove_epoch(self._short, epoch)

    def _write(self, folder, epoch, leaves):
        if folder == self._short:
            leaves = cast(leaves, np.float32, jax.numpy.bfloat16)
        folders.write_epoch(folder, epoch, leaves, self._identity, write=self._write_leaves)
        self._not_on_disk.setdefault(folder, []).append(epoch)

    def _put_on_disk(self):
        while self._not_on_disk:
            folders.put_on_disk(*self._not_on_disk.popitem())
