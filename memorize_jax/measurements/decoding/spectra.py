"""Leading directions on an accelerator, by one program for all classes: from Gram matrices, all or as many as needed.

Products are made on the device in the precision of the activations; that is enough. Small dense eigenproblems are
solved on the host in float64: in float32 the error of an eigenvector is relative to the largest eigenvalue, which for
activations about the origin is thousands of times those that decide how many components a class needs. On
Fashion-MNIST that alone changed the class of one test image in a hundred.
"""

import concurrent.futures
import os

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from memorize_jax.keys import GENERATOR
from memorize_jax.measurements.decoding.grams import class_grams, rounded_up
from memorize_jax.measurements.decoding.precise import RANK_TOLERANCE, Count, Directions, precise_directions
from memorize_jax.threads import one_thread

# Up to this size a full decomposition costs less than iterating.
FULL_SIZE = 1024
# A block is iterated this often; it is wider than what is asked for, so that the last wanted vector converges too.
NUM_ITERATIONS = 3
MARGIN = 1.25
FIRST_BLOCK = 256


def directions_on_device(
    activations: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], num_classes: int, count: Count
) -> Directions:
    """The result of `krylov.class_directions`."""
    grams = class_grams(activations, labels, num_classes)
    totals = np.asarray(jnp.trace(grams.gram, axis1=1, axis2=2), np.float64)
    found = leading_eigenvectors(grams.gram, totals, count)

    def directions_of(label, values, vectors, total):
        if total > 0 and count(values, total) > len(values):
            return precise_directions(activations[labels == label] / grams.scale[label], count)
        return values, _from_dual(activations, grams, label, values, vectors) if grams.is_dual else vectors.T, total

    return [directions_of(label, *pair, totals[label]) for label, pair in enumerate(found)]


def leading_eigenvectors(
    grams: Float[jax.Array, "P m m"], totals: Float[np.ndarray, " P"], count: Count
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Finds (eigenvalues [k], decreasing, float64; eigenvectors [m, k]) of every matrix, which has no negative ones.

    Args:
      grams: symmetric.
      totals: their traces.
      count: says k, unless the rank is less.
    """
    noise, is_small = RANK_TOLERANCE * float(jnp.finfo(grams.dtype).eps), grams.shape[1] <= FULL_SIZE
    solve, matrices = (_decompose, np.asarray(grams)) if is_small else (_iterate, grams)
    # Many small problems: a thread for each goes better than all threads on one.
    with one_thread(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda gram, total: solve(gram, total, count), matrices, totals)
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
            basis = _multiply(gram, basis)
            values, rotation = _decompose(_restrict(gram, basis))
            return values, np.asarray(_rotate(basis, jnp.asarray(rotation, basis.dtype)))
        block *= 2
    return _decompose(gram)


def _precisely(function, **options):
    def precise(*arguments):
        with jax.default_matmul_precision("highest"):
            return function(*arguments)

    return jax.jit(precise, **options)


def _symmetric(matrix):
    return (matrix + matrix.T) / 2


# An orthonormal basis of random combinations of the columns; a fixed key, for the answer needs none.
_random_range = _precisely(
    lambda gram, block: jnp.linalg.qr(
        gram @ jax.random.normal(jax.random.key(0, impl=GENERATOR), (len(gram), block), gram.dtype)
    )[0],
    static_argnums=1,
)
_multiply = _precisely(
    lambda gram, basis: jax.lax.fori_loop(0, NUM_ITERATIONS, lambda _, own: jnp.linalg.qr(gram @ own)[0], basis)
)
_restrict = _precisely(lambda gram, basis: _symmetric(basis.T @ (gram @ basis)))
_rotate = _precisely(lambda basis, rotation: basis @ rotation)
# Rounding in a Gram matrix leaves the small directions slightly askew; QR puts that right, the large ones first.
_right_vectors = _precisely(lambda rows, left: jnp.linalg.qr(rows.T @ left)[0].T)


def _from_dual(activations, grams, label, values, vectors):
    """Right singular vectors from left ones, [k, d]."""
    members, mask = grams.members[label], grams.mask[label]
    rows = activations[members] * mask[:, None].astype(activations.dtype) / grams.scale[label]
    left = np.zeros((len(members), rounded_up(len(values))), activations.dtype)
    left[:, : len(values)] = vectors
    return np.asarray(_right_vectors(rows, left))[: len(values)]
