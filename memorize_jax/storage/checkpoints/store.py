"""The store: networks by epoch and the newest training states, written asynchronously by a background thread."""

import errno
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import jax
import numpy as np

from memorize_jax.epochs import kept_epochs
from memorize_jax.storage.checkpoints import folders
from memorize_jax.storage.checkpoints.folders import DamagedCheckpointError
from memorize_jax.storage.checkpoints.layouts import leaf_writer
from memorize_jax.storage.checkpoints.trees import flatten, keys_of, path_name, unflatten

# A training state is three times the size of a network and only the newest is of use: writing it takes at most this
# share of the time.
STATE_SHARE = 0.02
# Two, so that a damaged one is not the end.
NUM_STATES = 2


class EpochStore:
    """Networks by epoch, and the newest complete training states.

    A folder is renamed to its number once it is complete with its checksums, so what has a number is whole or damaged,
    never half-written. One thread writes, one epoch behind at most. Networks that stay only until another is better, or
    later, wait in memory for the next training state: what follows the newest state is trained again after a kill. Use
    as a context manager; leaving it writes all that waits. Only one process may write (`lock.locked`).

    Args:
      keep: which networks stay, see `kept_epochs`.
      keep_dtype: of those that stay; the best and the last are kept in full besides.
      identity: of the run, which every epoch carries; what belongs to another run counts as damaged. None if it is
        not known: nothing is compared.
    """

    def __init__(
        self, folder: str | pathlib.Path, *, keep: str = "all", keep_dtype: str = "float32", identity: str | None = None
    ):
        self._folder = pathlib.Path(folder)
        self._keep, self._keep_dtype, self._identity = keep, keep_dtype, identity
        self._full, self._short = self._folder / "epochs", self._folder / "epochs_bfloat16"
        self._states = self._folder / "resume"
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

    # --- writing

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

        Waits for the epoch before, copies to host memory and returns; the arrays may be donated afterwards. The network
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

    def _wanted(self, test_accuracies):
        snapshots, full = kept_epochs(self._keep, test_accuracies)
        return (full | snapshots, frozenset()) if self._keep_dtype == "float32" else (full, snapshots)

    def _lasting(self, test_accuracies):
        """Of the networks that stay in full those that stay whatever later epochs are."""
        return kept_epochs(self._keep, test_accuracies).snapshots if self._keep_dtype == "float32" else frozenset()

    def _prune(self, full, short):
        for epoch in set(folders.stored_epochs(self._full)) - full:
            # Stored when everything was still kept in full.
            if epoch in short and not (self._short / str(epoch)).is_dir():
                self._write(self._short, epoch, self._read(self._full, epoch))
            folders.remove_epoch(self._full, epoch)
        for epoch in set(folders.stored_epochs(self._short)) - short:
            folders.remove_epoch(self._short, epoch)

    def _write(self, folder, epoch, leaves):
        if folder == self._short:
            leaves = _cast(leaves, np.float32, jax.numpy.bfloat16)
        folders.write_epoch(folder, epoch, leaves, self._identity, write=self._write_leaves)
        self._not_on_disk.setdefault(folder, []).append(epoch)

    def _put_on_disk(self):
        while self._not_on_disk:
            folders.put_on_disk(*self._not_on_disk.popitem())

    # --- reading

    def epochs(self) -> list[int]:
        """The stored epochs in order; a folder that holds nothing of ours is not one, whatever its name."""
        return sorted({*folders.stored_epochs(self._full), *folders.stored_epochs(self._short)})

    def ends_before(self, epoch: int) -> bool:
        """Whether the newest network or training state is of an earlier epoch, after a kill; not if all are removed."""
        kinds = (self.epochs(), folders.stored_epochs(self._states))
        return any(stored and stored[-1] < epoch for stored in kinds)

    def load(self, epoch: int) -> dict:
        """Restores params and batch_stats of an epoch, with NumPy leaves whatever device they were saved from.

        What was kept in bfloat16 comes back as float32. Raises FileNotFoundError or DamagedCheckpointError.
        """
        return self._restored(epoch)

    def load_layers(self, epoch: int, names: Iterable[str]) -> dict:
        """Restores, as `load`, some layers of an epoch without reading the others, whose damage is not looked for.

        The names are the keys of params, e.g. "conv12" for kernel and bias, "conv12_bn" for scale, offset and running
        statistics; those of no parameters have no entry in the result, and KeyError is raised if all are.
        """
        names = set(names)
        found = self._restored(epoch, lambda leaf: keys_of(leaf)[1] in names)
        if not any(found.values()):
            raise KeyError(f"epoch {epoch} has no layer {', '.join(sorted(names))}")
        return found

    def _restored(self, epoch, chosen=None):
        for folder in (self._full, self._short):
            if folders.is_stored(folder, epoch):
                return {"params": {}, "batch_stats": {}, **unflatten(self._read(folder, epoch, chosen))}
        stored = self.epochs()
        span = f"{len(stored)} epochs from {stored[0]} to {stored[-1]}" if stored else "none"
        raise FileNotFoundError(f"no checkpoint of epoch {epoch} in {self._folder}; stored: {span}")

    def _read(self, folder, epoch, chosen=None):
        leaves = folders.read_epoch(folder, epoch, chosen, identity=self._identity)
        return _cast(leaves, jax.numpy.bfloat16, np.float32) if folder == self._short else leaves

    def faults(self, test_accuracies: Sequence[float], *, finished: bool) -> dict[int, str]:
        """Says of every network that should be stored and is damaged or missing, by epoch, what is wrong.

        If the run is `finished`, also the best must be there. Before that it may have been removed because a later one,
        which training is about to redo, was better.
        """
        full, short = self._wanted(test_accuracies)
        in_full, in_short = set(folders.stored_epochs(self._full)), set(folders.stored_epochs(self._short))
        needed = full if finished else self._lasting(test_accuracies)
        missing = (needed - in_full) | (short - in_full - in_short)
        found = {epoch: f"epoch {epoch} is missing in {self._folder}" for epoch in missing}
        for folder, stored in ((self._full, in_full), (self._short, in_short)):
            for epoch in stored & (full | short):
                try:
                    folders.check_epoch(folder, epoch, identity=self._identity)
                except DamagedCheckpointError as error:
                    found[epoch] = str(error)
        return dict(sorted(found.items()))

    def load_training_state(
        self, template: Any, *, not_after: int | None = None, on_damage: Callable[[str], None] = lambda _: None
    ) -> tuple[int, Any] | None:
        """Restores the newest sound training state of an epoch up to `not_after`: (epoch, state), or None if none is.

        The state has the structure and types of `template`. A damaged one is passed over after a call of `on_damage`.
        """
        for epoch in reversed(folders.stored_epochs(self._states)):
            if not_after is not None and epoch > not_after:
                continue
            try:
                found = self._read(self._states, epoch)
            except DamagedCheckpointError as error:
                on_damage(f"the training state of {error}")
                continue
            return epoch, jax.tree_util.tree_map_with_path(
                lambda path, leaf, found=found: np.asarray(found[path_name(path)], leaf.dtype), template
            )
        return None


def _cast(leaves, of, to):
    """Arrays of one type as another; the others as they are."""
    return {name: leaf.astype(to) if leaf.dtype == of else leaf for name, leaf in leaves.items()}
