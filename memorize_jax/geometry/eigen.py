"""Eigenvectors of symmetric matrices, on CPU one matrix at a time.

jaxlib 0.10 cuts a batch of decompositions into parts for the threads of its pool and waits for them on one of these
threads. Two such batches at once on two cores wait for one another and never end; a single matrix waits for nobody.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_batching.sequential_vmap
def _one_by_one(matrix):
    return tuple(jnp.linalg.eigh(matrix))


def symmetric_eigen(matrix: Float[Array, "M M"]) -> tuple[Float[Array, " M"], Float[Array, "M M"]]:
    """Eigenvalues of a symmetric matrix, increasing, and eigenvectors, a column for each; carries no derivative."""
    matrix = jax.lax.stop_gradient(matrix)
    together = lambda matrix: tuple(jnp.linalg.eigh(matrix))
    return jax.lax.platform_dependent(matrix, cpu=_one_by_one, default=together)
