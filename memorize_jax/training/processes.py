"""Several processes that train one network: each holds its own rows of every batch, and all hold the same state."""

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from memorize_jax.training.state import TrainState
from memorize_jax.training.step import Batch


def local_rows(batch: Batch) -> Batch:
    """The rows of a global batch [D, ...] that belong to this process's devices, [local D, ...]."""
    num_local = jax.local_device_count()
    first = jax.process_index() * num_local
    return jax.tree.map(lambda leaf: leaf[first : first + num_local], batch)


def gather_rows(local: np.ndarray) -> np.ndarray:
    """Puts together what the processes computed, on all of them.

    Args:
      local: [batches, local D, ...].

    Returns:
      [batches, D, ...].
    """
    if jax.process_count() == 1:
        return local
    found = multihost_utils.process_allgather(local)
    return np.moveaxis(found, 0, 1).reshape(local.shape[0], -1, *local.shape[2:])


def share_resume(
    resume: tuple[int, TrainState, list[dict]] | None, template: Callable[[], TrainState]
) -> tuple[int, TrainState, list[dict]] | None:
    """Tells all processes where process 0, which has the run's folder, goes on.

    Args:
      resume: as for `loop.train`; what the other processes give is not looked at.
      template: makes a state of the same structure.

    Returns:
      process 0's `resume`; of the metrics the others get the training accuracy, which decides when to stop.
    """
    if jax.process_count() == 1:
        return resume
    number = int(multihost_utils.broadcast_one_to_all(np.int32(-1 if resume is None else resume[0])))
    if number < 0:
        return None
    is_source = jax.process_index() == 0
    state = resume[1] if is_source else jax.tree.map(np.asarray, template())
    accuracies = np.array([row["train_accuracy"] for row in resume[2]] if is_source else np.zeros(number + 1))
    state, accuracies = multihost_utils.broadcast_one_to_all((jax.tree.map(np.asarray, state), accuracies))
    return number, state, resume[2] if is_source else [{"train_accuracy": float(value)} for value in accuracies]
