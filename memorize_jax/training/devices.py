"""Where things live: data and state on every device, a slice of the batch on each."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from memorize_jax.training.step import AXIS, Batch


def data_mesh() -> Mesh:
    """A one-dimensional mesh over all local devices."""
    return Mesh(np.array(jax.local_devices()), (AXIS,), axis_types=(AxisType.Auto,))


def replicate(tree):
    """Puts a pytree on every local device, so that a pmapped call need not copy it each time."""
    return jax.device_put(tree, NamedSharding(data_mesh(), PartitionSpec()))


def split_batches(order: Int[np.ndarray, " n"], batch_size: int, num_devices: int) -> list[Batch]:
    """Cuts an order of examples into global batches, split evenly over devices.

    Args:
      order: examples, by their positions in the data set.
      batch_size: global; rounded up to a multiple of the number of devices by padding.

    Returns:
      Batches with leaves [num_devices, ceil(batch_size / num_devices)]; padding repeats example 0 with mask 0.
    """
    per_device = -(-batch_size // num_devices)
    batches = []
    for start in range(0, len(order), batch_size):
        own = order[start : start + batch_size]
        indices = np.zeros(num_devices * per_device, np.int32)
        mask = np.zeros(num_devices * per_device, np.float32)
        indices[: len(own)], mask[: len(own)] = own, 1
        shape = (num_devices, per_device)
        batches.append(Batch(indices.reshape(shape), mask.reshape(shape)))
    return batches


def must_await_steps() -> bool:
    """Whether queued steps can dead-lock: several simulated devices share the threads of one CPU."""
    return jax.default_backend() == "cpu" and jax.local_device_count() > 1
