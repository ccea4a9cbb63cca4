"""Maps over a leading axis: a chosen number of items in memory at a time, over devices; and what a request takes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

# Numbers that layers may have together to be copied into one array.
MOST_STACKED = 2**24


def chunked_map(function: Callable, items: Any, chunk: int | None, devices: int = 1) -> Any:
    """What `jax.vmap(function)(items)` gives, `chunk` items as one batch; None for 1 on CPU and 256 elsewhere.

    On CPU small batches also stop sooner: a batch of iterative solves ends with its slowest member. With several
    devices, the first of this process, each takes its share of the items, `chunk` at a time, and all have the results
    in the end; inside `jax.jit` only.
    """
    total = _number_of(items)
    if devices > 1:
        return _over_devices(function, items, chunk, devices)
    chunk = _items_at_a_time(chunk, total)
    if chunk == 1:
        return jax.lax.map(function, items)
    # jax.lax.map's own batch_size compiles a second program for the remainder; padding needs only one.
    num_batches = -(-total // chunk)
    split = lambda leaf: leaf.reshape(num_batches, chunk, *leaf.shape[1:])
    mapped = jax.lax.map(jax.vmap(function), jax.tree.map(split, _padded(items, num_batches * chunk)))
    return jax.tree.map(lambda leaf: leaf.reshape(num_batches * chunk, *leaf.shape[2:])[:total], mapped)


def _number_of(items):
    return jax.tree.leaves(items)[0].shape[0]


def _padded(items, number):
    """So many items, the last one again and again."""
    missing = number - _number_of(items)
    return jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.repeat(leaf[-1:], missing, axis=0)]), items)


def _over_devices(function, items, chunk, devices):
    total, axis = _number_of(items), PartitionSpec("items")
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ("items",))
    own = lambda some: chunked_map(function, some, chunk)
    shared = jax.shard_map(own, mesh=mesh, in_specs=axis, out_specs=axis, check_vma=False)
    found = shared(_padded(items, -(-total // devices) * devices))
    # What follows is small: every device computes it from all results.
    found = jax.lax.with_sharding_constraint(found, NamedSharding(mesh, PartitionSpec()))
    return jax.tree.map(lambda leaf: leaf[:total], found)


def over_layers(function: Callable, layers: Sequence[jax.Array]) -> list[Any]:
    """What `function` gives for each layer; of small layers of one shape by one piece of program, compiled once."""
    if len({points.shape for points in layers}) > 1 or sum(points.size for points in layers) > MOST_STACKED:
        return [function(points) for points in layers]
    found = jax.lax.map(function, jnp.stack(layers))
    return [jax.tree.map(lambda leaf, place=place: leaf[place], found) for place in range(len(layers))]


def _items_at_a_time(chunk, total):
    if chunk is None:
        chunk = 1 if jax.default_backend() == "cpu" else 256
    return max(1, min(chunk, total))


def peak_bytes(
    num_layers: int,
    num_manifolds: int,
    num_examples: int,
    num_features: int,
    num_draws: int,
    *,
    chunk: int | None = None,
    itemsize: int = 4,
) -> int:
    """Estimates the bytes that mean-field geometry of some layers takes at its peak, within about a third.

    Args:
      num_features: of all layers together; 0 if their points are not held, or are there already.
      itemsize: bytes of a number.
    """
    # Themselves, and the copy that a loop over them makes.
    points = 2 * num_manifolds * num_examples * num_features
    products = num_layers * num_manifolds * (6 * num_examples**2 + num_examples * num_manifolds + 4 * num_manifolds)
    # Sampling holds the draws about four times over, a batch of programs eight numbers for each of their inequalities.
    draws = 4 * num_manifolds * num_draws * (num_examples + 1)
    programs = 8 * _items_at_a_time(chunk, num_layers * num_manifolds) * num_draws * num_examples
    return itemsize * (points + products + draws + programs)
