"""Eigenvectors of symmetric matrices, on CPU one matrix at a time.

jaxlib 0.10 cuts a batch of decompositions into parts for the threads of its pool and waits for them on one of these
threads. Two such batches at once on two cores wait for one another and never end; a single matrix waits for nobody.
"""

import jax
import jax.numpy as jnp


@jax.custom_batching.sequential_vmap
def _one_by_one(matrix):
    return tuple(jnp.linalg.eigh(matrix))


def symmetric_eigen(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes eigenvalues and eigenvectors of a symmetric matrix; carries no derivative.

    Args:
      matrix: [M, M] floating.

    Returns:
      (values [M], increasing; vectors [M, M], a column for each).
    """
    matrix = jax.lax.stop_gradient(matrix)
    together = lambda matrix: tuple(jnp.linalg.eigh(matrix))
    return jax.lax.platform_dependent(matrix, cpu=_one_by_one, default=together)
