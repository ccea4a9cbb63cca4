"""Sole owner of Orbax: the store of every epoch's network, and the state that resuming needs."""

import logging
import pathlib
import time
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.options import AtomicityMode, AtomicityOptions

# Optimiser state is three times the size of a network and only the newest is of use: it is written this often.
RESUME_SECONDS = 10.0


def _manager(folder: pathlib.Path, max_to_keep: int | None) -> ocp.CheckpointManager:
    logging.getLogger("absl").setLevel(logging.WARNING)
    options = ocp.CheckpointManagerOptions(
        max_to_keep=max_to_keep,
        cleanup_tmp_directories=True,
        # A folder without its commit file is not a checkpoint, whatever its name.
        atomicity_options=AtomicityOptions(mode=AtomicityMode.COMMIT_FILE),
    )
    return ocp.CheckpointManager(folder.absolute(), options=options, item_handlers=ocp.PyTreeCheckpointHandler())


class EpochStore:
    """Networks by epoch, and the newest complete training state.

    Use as a context manager; leaving it waits for everything to be on disk.

    Args:
      folder: of the store; made when first written to.
    """

    def __init__(self, folder: str | pathlib.Path):
        folder = pathlib.Path(folder)
        self._networks = _manager(folder / "epochs", None)
        self._resume = _manager(folder / "resume", 2)
        self._last_resume = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Waits for pending writes."""
        self._networks.close()
        self._resume.close()

    def save(self, epoch: int, variables: dict, training_state: Any, *, complete: bool) -> None:
        """Stores the network of an epoch, and from time to time the training state.

        Args:
          epoch: its number.
          variables: params and batch_stats.
          training_state: pytree that resuming needs.
          complete: store the training state in any case, as at the end.

        Raises:
          RuntimeError: Orbax refused to save.
        """
        _save(self._networks, epoch, variables)
        if complete or time.monotonic() - self._last_resume > RESUME_SECONDS:
            # By path: Orbax does not keep the optimiser's own classes.
            flat, _ = jax.tree_util.tree_flatten_with_path(training_state)
            _save(self._resume, epoch, {jax.tree_util.keystr(path): leaf for path, leaf in flat})
            self._last_resume = time.monotonic()

    def epochs(self) -> list[int]:
        """The stored epochs in order."""
        return sorted(self._networks.all_steps())

    def load(self, epoch: int) -> dict:
        """Restores the network of an epoch.

        Args:
          epoch: its number.

        Returns:
          params and batch_stats with NumPy leaves, whatever device they were saved from.

        Raises:
          FileNotFoundError: no such epoch; names those there are.
        """
        stored = self.epochs()
        if epoch not in stored:
            span = f"{stored[0]} to {stored[-1]}" if stored else "none"
            raise FileNotFoundError(f"no checkpoint of epoch {epoch}; stored: {span}")
        return {"batch_stats": {}, **_load(self._networks, epoch)}

    def load_training_state(self, template: Any, *, not_after: int | None = None) -> tuple[int, Any] | None:
        """Restores the newest training state.

        Args:
          template: a state of the same structure.
          not_after: pass over states of later epochs.

        Returns:
          (epoch, state), or None if there is none.
        """
        stored = [epoch for epoch in self._resume.all_steps() if not_after is None or epoch <= not_after]
        if not stored:
            return None
        epoch = max(stored)
        restored = _load(self._resume, epoch)
        paths, structure = jax.tree_util.tree_flatten_with_path(template)
        leaves = [np.asarray(restored[jax.tree_util.keystr(path)], leaf.dtype) for path, leaf in paths]
        return epoch, jax.tree.unflatten(structure, leaves)

    def forget_after(self, epoch: int) -> None:
        """Removes what is stored of epochs later than `epoch`, which training is about to redo."""
        for manager in (self._networks, self._resume):
            for later in [stored for stored in manager.all_steps() if stored > epoch]:
                manager.delete(later)


def _save(manager, epoch, tree):
    # Orbax has no notion of an empty subtree.
    tree = {name: leaf for name, leaf in tree.items() if jax.tree.leaves(leaf)}
    if not manager.save(epoch, args=ocp.args.PyTreeSave(tree)):
        raise RuntimeError(
            f"Orbax refused to save epoch {epoch} in {manager.directory}; is a later epoch stored there?"
        )


def _load(manager, epoch):
    # As NumPy: what eight devices wrote, one can read.
    as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), manager.item_metadata(epoch).tree)
    return manager.restore(epoch, args=ocp.args.PyTreeRestore(restore_args=as_numpy))
