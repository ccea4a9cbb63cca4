"""What lives where: data and state on every device, a slice of the batch on each; the devices of several processes."""

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int, PRNGKeyArray

from memorize_jax.training.state import Resume, TrainState
from memorize_jax.training.step import AXIS, Batch


def replicate(tree):
    """Puts a pytree on every local device, so that a pmapped call need not copy it each time."""
    mesh = Mesh(np.array(jax.local_devices()), (AXIS,), axis_types=(AxisType.Auto,))
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


# Padding of the last batch, as a share of all examples, beyond which it gets a shape, and a program, of its own.
MOST_PADDING = 0.2


def split_batches(
    order: Int[np.ndarray, " n"], batch_size: int, num_devices: int, most_padding: float = np.inf
) -> list[Batch]:
    """Cuts an order of examples into global batches, split evenly over devices.

    Leaves are [num_devices, ceil(batch_size / num_devices)]; padding repeats example 0 with mask 0. The last batch is
    as small as it can be where padding would be more than the share `most_padding` of all examples.
    """
    is_short = -len(order) % batch_size > most_padding * len(order)
    batches = []
    for start in range(0, len(order), batch_size):
        own = order[start : start + batch_size]
        shape = num_devices, -(-(len(own) if is_short else batch_size) // num_devices)
        indices, mask = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        indices.flat[: len(own)], mask.flat[: len(own)] = own, 1
        batches.append(Batch(indices, mask))
    return batches


def mixed_batches(key: PRNGKeyArray, num: int, batch_size: int) -> list[Batch]:
    """Cuts `num` examples, in random order, into batches for one device, [1, size], of about the size of training's.

    The same key gives the same batches. In stored order each would be of one class where a data set is sorted by class,
    with statistics that no batch of training has. All are of one size, but for a few examples that the last may lack:
    padding costs as much as examples do.
    """
    order = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()).permutation(num)
    return split_batches(order, -(-num // -(-num // batch_size)), 1)


def must_await_steps() -> bool:
    """Whether queued steps can dead-lock: several simulated devices share the threads of one CPU."""
    return jax.default_backend() == "cpu" and jax.local_device_count() > 1


def local_rows(batch: Batch) -> Batch:
    """The rows of a global batch [D, ...] that belong to this process's devices, [local D, ...]."""
    num_local = jax.local_device_count()
    first = jax.process_index() * num_local
    return jax.tree.map(lambda leaf: leaf[first : first + num_local], batch)


def gather_rows(local: np.ndarray) -> np.ndarray:
    """Puts together what the processes computed, on all of them: [batches, local D, ...] to [batches, D, ...]."""
    if jax.process_count() == 1:
        return local
    found = multihost_utils.process_allgather(local)
    return np.moveaxis(found, 0, 1).reshape(local.shape[0], -1, *local.shape[2:])


def share_resume(resume: Resume, shapes: TrainState) -> Resume:
    """Tells all processes where process 0, which has the run's folder, resumes; for `shapes` see `state_shapes`.

    Of the metrics the others get the training accuracy, which decides when to stop.
    """
    if jax.process_count() == 1:
        return resume
    number = int(multihost_utils.broadcast_one_to_all(np.int32(resume.number)))
    if number < 0:
        return resume
    is_source = jax.process_index() == 0
    state = resume.state if is_source else jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    accuracies = np.array([row["train_accuracy"] for row in resume.rows[0]] if is_source else np.zeros(number + 1))
    state, accuracies = multihost_utils.broadcast_one_to_all((jax.tree.map(np.asarray, state), accuracies))
    rows = resume.rows if is_source else [[{"train_accuracy": float(value)} for value in accuracies]]
    return Resume(number, state, rows)
