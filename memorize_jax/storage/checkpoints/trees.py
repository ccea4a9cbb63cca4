"""Sole owner of Orbax: a folder of named arrays, written whole, read whole or in part."""

import logging
import pathlib
from collections.abc import Iterable

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.options import MultiprocessingOptions


def _checkpointer():
    # Orbax warns that there is nothing to merge whenever each array has files of its own.
    logging.getLogger("absl").setLevel(logging.ERROR)
    # Of several processes each is on its own here: arrays arrive as NumPy, and one process is asked to write.
    index = jax.process_index()
    alone = MultiprocessingOptions(
        primary_host=index, active_processes={index}, barrier_sync_key_prefix=f"process{index}"
    )
    # A folder per array instead of a database: damage has a name, and one layer is read without the others.
    # Trained weights shrink by 8 % when compressed, which takes three times as long as writing them.
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=False, use_compression=False, multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def flatten(tree) -> dict[str, np.ndarray]:
    """Names the leaves of a pytree by their path, e.g. "params.linear1.kernel"; leaves become NumPy copies."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    # A copy: on a CPU NumPy would share the memory that the next training step reuses.
    return {jax.tree_util.keystr(path, simple=True, separator="."): np.array(leaf) for path, leaf in leaves}


def unflatten(leaves: dict[str, np.ndarray]) -> dict:
    """The nested dict of `flatten`, for a pytree of dicts."""
    tree = {}
    for name, leaf in leaves.items():
        *above, last = name.split(".")
        into = tree
        for key in above:
            into = into.setdefault(key, {})
        into[last] = leaf
    return tree


def write_leaves(folder: pathlib.Path, leaves: dict[str, np.ndarray]) -> None:
    """Writes arrays into a new folder.

    Args:
      folder: must not exist.
      leaves: name -> array.

    Raises:
      Exception: whatever Orbax and the file system raise; it is never silent.
    """
    _checkpointer().save(folder.absolute(), args=ocp.args.PyTreeSave(leaves))
    if not folder.is_dir():
        raise OSError(f"Orbax reported no error and wrote no {folder}")


def read_leaves(folder: pathlib.Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads some of the arrays of a folder, as NumPy: what eight devices wrote, one can read.

    Args:
      folder: as `write_leaves` made it.
      names: of the arrays; the others are not touched.

    Returns:
      name -> array.
    """
    wanted = dict.fromkeys(names, 0.0)
    as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in wanted}
    request = ocp.args.PyTreeRestore(wanted, restore_args=as_numpy, partial_restore=True)
    return {name: np.asarray(leaf) for name, leaf in _checkpointer().restore(folder.absolute(), args=request).items()}


def reached_preemption(epoch: int) -> bool:
    """Whether a notice of preemption has reached any process; always False without `jax.distributed`."""
    return jax.distributed.is_initialized() and ocp.multihost.reached_preemption(epoch)
