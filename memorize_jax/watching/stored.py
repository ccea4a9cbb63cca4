"""Whether a network is one of the run whose epochs are stored."""

import pathlib
from typing import Any

import numpy as np

from memorize_jax.storage.checkpoints import StoredEpochs
from memorize_jax.storage.checkpoints.trees import flatten


def is_stored_as(store: StoredEpochs, epoch: int, variables: dict) -> bool:
    """Whether an epoch is stored with these numbers, or no more at all."""
    if epoch not in store.epochs():
        return True
    held, given = flatten(store.load(epoch)), flatten(variables)
    return held.keys() == given.keys() and all(np.array_equal(held[name], given[name]) for name in given)


def check_same_arrays(store: StoredEpochs, variables: dict, workdir: pathlib.Path) -> None:
    """Raises ValueError unless a network has arrays of the names, shapes and kinds of the last that is stored."""
    if not (epochs := store.epochs()):
        return
    held, given = (
        {name: _described(leaf) for name, leaf in flatten(tree).items()} for tree in (store.load(epochs[-1]), variables)
    )
    for name in (*held, *given):
        if held.get(name) != given.get(name):
            raise ValueError(
                f"{workdir} holds a run of another network, with {name} {held.get(name, 'absent')}, got "
                f"{given.get(name, 'none')}; choose another workdir"
            )


def _described(leaf: Any) -> str:
    return f"{leaf.dtype} {list(leaf.shape)}"
