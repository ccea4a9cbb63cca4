"""Sole owner of Orbax: a folder of named arrays, written whole, read whole or in part."""

import logging
import pathlib
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.options import MultiprocessingOptions


def flatten(tree: Any) -> dict[str, np.ndarray]:
    """Names the leaves of a pytree by their path, e.g. "params.linear1.kernel"; leaves become NumPy copies."""
    # A copy: on a CPU NumPy would share the memory that the next training step reuses.
    return {path_name(path): np.array(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def path_name(path: tuple) -> str:
    """The name that `flatten` gives a leaf; within a key what parts keys or folders is quoted, see `quote_key`."""
    return ".".join(quote_key(jax.tree_util.keystr((entry,), simple=True)) for entry in path)


def quote_key(key: str) -> str:
    """A key as it stands in the name of a leaf: "layer1.0" becomes "layer1%2E0"."""
    return re.sub(r"[%./\\]", lambda found: f"%{ord(found[0]):02X}", key)


def keys_of(name: str) -> list[str]:
    """The keys that lead to a leaf of this name."""
    return [urllib.parse.unquote(key) for key in name.split(".")]


def unflatten(leaves: Mapping[str, np.ndarray]) -> dict:
    """The nested dict of `flatten`, for a pytree of dicts."""
    tree = {}
    for name, leaf in leaves.items():
        *above, last = keys_of(name)
        into = tree
        for key in above:
            into = into.setdefault(key, {})
        into[last] = leaf
    return tree


def write_leaves(folder: pathlib.Path, leaves: Mapping[str, np.ndarray]) -> None:
    """Writes arrays into a folder that does not exist; whatever Orbax and the file system raise is never silent."""
    _checkpointer().save(folder.absolute(), args=ocp.args.PyTreeSave(dict(leaves)))
    if not folder.is_dir():
        raise OSError(f"Orbax reported no error and wrote no {folder}")


def read_leaves(folder: pathlib.Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads arrays by name, without touching the others, as NumPy: what eight devices wrote, one can read."""
    wanted = dict.fromkeys(names, 0.0)
    as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in wanted}
    request = ocp.args.PyTreeRestore(wanted, restore_args=as_numpy, partial_restore=True)
    return {name: np.asarray(leaf) for name, leaf in _checkpointer().restore(folder.absolute(), args=request).items()}


def reached_preemption(epoch: int) -> bool:
    """Whether a notice of preemption has reached any process; always False without `jax.distributed`."""
    return jax.distributed.is_initialized() and ocp.multihost.reached_preemption(epoch)


def _checkpointer():
    # Orbax warns that there is nothing to merge whenever each array has files of its own.
    logging.getLogger("absl").setLevel(logging.ERROR)
    # Of several processes each is on its own here: arrays arrive as NumPy, and one process is asked to write.
    me = jax.process_index()
    alone = MultiprocessingOptions(primary_host=me, active_processes={me}, barrier_sync_key_prefix=f"process{me}")
    # A folder per array instead of a database: damage has a name, and one layer is read without the others.
    # Trained weights shrink by 8 % when compressed, which takes three times as long as writing them.
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=False, use_compression=False, multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)
