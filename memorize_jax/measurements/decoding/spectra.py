"""The leading eigenvectors of Gram matrices: all of them where that is cheap, else only as many as are needed.

Products are made on the device in the precision of the activations; that is enough. Small dense eigenproblems are
solved on the host in float64: in float32 the error of an eigenvector is relative to the largest eigenvalue, which for
activations about the origin is thousands of times those that decide how many components a class needs. On
Fashion-MNIST that alone changed the class of one test image in a hundred.
"""

import concurrent.futures
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.threads import one_thread

# Up to this size a full decomposition costs less than iterating.
FULL_SIZE = 1024
# A block is iterated this often; it is wider than what is asked for, so that the last wanted vector converges too.
NUM_ITERATIONS = 3
MARGIN = 1.25
FIRST_BLOCK = 256
# Eigenvalues below this many roundings of the largest are noise: the class spans no such direction.
RANK_TOLERANCE = 20


def leading_eigenvectors(
    grams: jax.Array, count: Callable[[np.ndarray, float], int]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Finds the leading eigenvectors of every matrix.

    Args:
      grams: [P, m, m], symmetric, without negative eigenvalues.
      count: (decreasing eigenvalues [r], trace) -> how many are needed, more than r if r do not suffice; r may be less
        than m.

    Returns:
      for every matrix (eigenvalues [k], decreasing, float64; eigenvectors [m, k]); k is what `count` said, or the rank
      if that is less.
    """
    totals = np.asarray(jnp.trace(grams, axis1=1, axis2=2), np.float64)
    noise = RANK_TOLERANCE * float(jnp.finfo(grams.dtype).eps)
    solve = _iterate
    if grams.shape[1] <= FULL_SIZE:
        solve, grams = _decompose, np.asarray(grams)
    # Many small problems: a thread for each goes better than all threads on one.
    with one_thread(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda gram, total: solve(gram, total, count), grams, totals)
        return [_needed(*pair, total, count, noise) for pair, total in zip(found, totals, strict=True)]


def _needed(values, vectors, total, count, noise):
    rank = int(np.sum(values > noise * max(values[0], 0)))
    number = min(count(values[:rank], total), rank)
    return values[:number], vectors[:, :number]


def _decompose(gram, *_):
    values, vectors = np.linalg.eigh(np.asarray(gram, np.float64))
    return values[::-1], vectors[:, ::-1]


def _iterate(gram, total, count):
    """Subspace iteration with a block that grows until it holds what is needed."""
    size, block = len(gram), FIRST_BLOCK
    while MARGIN * block < size / 2:
        basis = _random_range(gram, block)
        values = np.linalg.eigvalsh(np.asarray(_restrict(gram, basis)))[::-1]
        # Eigenvalues within a subspace are never too large, so the number they ask for is never too small.
        if MARGIN * count(values.astype(np.float64), total) <= block:
            return _rayleigh_ritz(gram, _multiply(gram, basis))
        block *= 2
    return _decompose(gram)


def _rayleigh_ritz(gram, basis):
    """Eigenvalues and vectors within the span of `basis`."""
    values, rotation = _decompose(_restrict(gram, basis))
    return values, np.asarray(_rotate(basis, jnp.asarray(rotation, basis.dtype)))


@jax.jit(static_argnums=1)
def _random_range(gram, block):
    """An orthonormal basis of `block` random combinations of the columns; a fixed key, for the answer needs none."""
    with jax.default_matmul_precision("highest"):
        random = jax.random.normal(jax.random.key(0), (len(gram), block), gram.dtype)
        return jnp.linalg.qr(gram @ random)[0]


@jax.jit
def _multiply(gram, basis):
    with jax.default_matmul_precision("highest"):
        return jax.lax.fori_loop(0, NUM_ITERATIONS, lambda _, basis: jnp.linalg.qr(gram @ basis)[0], basis)


@jax.jit
def _restrict(gram, basis):
    with jax.default_matmul_precision("highest"):
        inner = basis.T @ (gram @ basis)
        return (inner + inner.T) / 2


@jax.jit
def _rotate(basis, rotation):
    with jax.default_matmul_precision("highest"):
        return basis @ rotation
