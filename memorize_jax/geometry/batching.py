"""A map over a leading axis that holds a chosen number of items in memory at a time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def chunked_map(function: Callable, items, chunk: int | None):
    """Maps `function` over the leading axis of `items`, `chunk` items as one batch.

    On CPU small batches also stop sooner: a batch of iterative solves ends with its slowest member.

    Args:
      function: item -> pytree of arrays.
      items: pytree of arrays with the same leading length.
      chunk: items per batch; None for 1 on CPU and 256 elsewhere.

    Returns:
      What `jax.vmap(function)(items)` would.
    """
    total = jax.tree.leaves(items)[0].shape[0]
    if chunk is None:
        chunk = 1 if jax.default_backend() == "cpu" else 256
    chunk = max(1, min(chunk, total))
    if chunk == 1:
        return jax.lax.map(function, items)
    # jax.lax.map's own batch_size compiles a second program for the remainder; padding needs only one.
    num_batches = -(-total // chunk)
    padding = num_batches * chunk - total

    def split(leaf):
        leaf = jnp.concatenate([leaf, jnp.repeat(leaf[-1:], padding, axis=0)])
        return leaf.reshape(num_batches, chunk, *leaf.shape[1:])

    mapped = jax.lax.map(jax.vmap(function), jax.tree.map(split, items))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:total], mapped)
