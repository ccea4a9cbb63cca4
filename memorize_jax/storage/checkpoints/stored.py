"""What a run keeps of its networks and training states, read; see `store.EpochStore` for how they are written."""

import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np

from memorize_jax.epochs import kept_epochs
from memorize_jax.storage.checkpoints import folders
from memorize_jax.storage.checkpoints.folders import DamagedCheckpointError
from memorize_jax.storage.checkpoints.trees import flatten, keys_of, path_name, unflatten


class StoredEpochs:
    """Networks by epoch, and the newest training states, as they lie in a folder; nothing is written.

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

    def checksum(self, epoch: int) -> str:
        """Of the arrays that `load` restores, as they were written; without reading them. Raises as `load`."""
        return folders.arrays_checksum(self._folder_of(epoch), epoch, identity=self._identity)

    def is_another(self, epoch: int, variables: dict) -> bool:
        """Whether a network is not the one that was stored of an epoch; False where it is not known which that was."""
        full = flatten(variables)
        short = cast(full, np.float32, jax.numpy.bfloat16)
        written = [
            folders.is_written_as(folder, epoch, leaves, identity=self._identity)
            for folder, leaves in ((self._full, full), (self._short, short))
        ]
        return False in written

    def _restored(self, epoch, chosen=None):
        return {"params": {}, "batch_stats": {}, **unflatten(self._read(self._folder_of(epoch), epoch, chosen))}

    def _folder_of(self, epoch):
        for folder in (self._full, self._short):
            if folders.is_stored(folder, epoch):
                return folder
        stored = self.epochs()
        span = f"{len(stored)} epochs from {stored[0]} to {stored[-1]}" if stored else "none"
        raise FileNotFoundError(f"no checkpoint of epoch {epoch} in {self._folder}; stored: {span}")

    def _read(self, folder, epoch, chosen=None):
        leaves = folders.read_epoch(folder, epoch, chosen, identity=self._identity)
        return cast(leaves, jax.numpy.bfloat16, np.float32) if folder == self._short else leaves

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
        Raises ValueError for one with other leaves, as of another optimizer, or leaves of another shape.
        """
        for epoch in reversed(folders.stored_epochs(self._states)):
            if not_after is not None and epoch > not_after:
                continue
            try:
                found = self._read(self._states, epoch)
            except DamagedCheckpointError as error:
                on_damage(f"the training state of {error}")
                continue
            self._check_leaves(epoch, found, template)
            return epoch, jax.tree_util.tree_map_with_path(
                lambda path, leaf, found=found: np.asarray(found[path_name(path)], leaf.dtype), template
            )
        return None

    def _check_leaves(self, epoch, found, template):
        asked = {path_name(path): np.shape(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(template)}
        held = {name: leaf.shape for name, leaf in found.items()}
        for name in dict.fromkeys([*asked, *held]):
            if asked.get(name) != held.get(name):
                holds, takes = (str(of[name]) if name in of else "nothing" for of in (held, asked))
                raise ValueError(
                    f"the training state of epoch {epoch} in {self._folder} is of another network or optimizer: "
                    f"as {name} it holds {holds}, and training takes {takes}; restore your own code, if it was edited, "
                    "or choose another --workdir"
                )

    def _wanted(self, test_accuracies):
        snapshots, full = kept_epochs(self._keep, test_accuracies)
        return (full | snapshots, frozenset()) if self._keep_dtype == "float32" else (full, snapshots)

    def _lasting(self, test_accuracies):
        """Of the networks that stay in full those that stay whatever later epochs are."""
        return kept_epochs(self._keep, test_accuracies).snapshots if self._keep_dtype == "float32" else frozenset()


def cast(leaves, of, to):
    """Arrays of one type as another; the others as they are."""
    return {name: leaf.astype(to) if leaf.dtype == of else leaf for name, leaf in leaves.items()}
