"""Eigenvectors of symmetric matrices, on CPU one matrix at a time.

jaxlib 0.10 cuts a batch of decompositions into parts for the threads of its pool and waits for them on one of these
threads. Two such batches at once on two cores wait for one another and never end; a single matrix waits for nobody.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from memorize_jax.geometry.qp.foreign import register
from memorize_jax.threads import on_threads, one_thread


@jax.custom_batching.sequential_vmap
def _one_by_one(matrix):
    return tuple(jnp.linalg.eigh(matrix))


def symmetric_eigen(matrix: Float[Array, "M M"]) -> tuple[Float[Array, " M"], Float[Array, "M M"]]:
    """Eigenvalues of a symmetric matrix, increasing, and eigenvectors, a column for each; carries no derivative."""
    matrix = jax.lax.stop_gradient(matrix)
    return jax.lax.platform_dependent(matrix, cpu=_one_by_one, default=_together)


def symmetric_eigen_on_host(matrix: Float[Array, "M M"]) -> tuple[Float[Array, " M"], Float[Array, "M M"]]:
    """`symmetric_eigen`, the same to the last bit, where the cores share the matrices of a vmap."""
    matrix = jax.lax.stop_gradient(matrix)
    name = register("memorize_jax eigenvectors", _decompose)
    shapes = [jax.ShapeDtypeStruct(shape, matrix.dtype) for shape in (matrix.shape[:1], matrix.shape)]

    def on_host(matrix) -> tuple[Array, Array]:
        values, vectors = jax.ffi.ffi_call(name, shapes, vmap_method="expand_dims")((matrix + matrix.T) / 2)
        return values, vectors

    return jax.lax.platform_dependent(matrix, cpu=on_host, default=_together)


def _together(matrix) -> tuple[Array, Array]:
    values, vectors = jnp.linalg.eigh(matrix)
    return values, vectors


def _decompose(matrices, values, vectors):
    size = matrices.shape[-1]
    # Of the lower triangle, as jax calls it.
    evd: Any = scipy.linalg.get_lapack_funcs("syevd", dtype=matrices.dtype)
    flat = matrices.reshape(-1, size, size), values.reshape(-1, size), vectors.reshape(-1, size, size)

    def piece(first, last):
        for matrix, own_values, own_vectors in zip(*(each[first:last] for each in flat), strict=True):
            own_values[...], own_vectors[...] = np.nan, np.nan
            if np.isfinite(matrix).all():
                found, columns, failed = evd(matrix.T, lower=1)
                if not failed:
                    own_values[...], own_vectors[...] = found, columns

    with one_thread():
        on_threads(piece, len(flat[0]))
