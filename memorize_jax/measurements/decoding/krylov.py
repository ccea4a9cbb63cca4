"""The leading directions of one class on the host: read off the activations themselves where they are wide.

A processor multiplies as fast from NumPy as from a compiled program, and needs neither one size for all classes nor
compilation. Large products are made in the precision of the activations, small eigenproblems solved in float64, for
the reason given in `spectra`.

Of a wide layer a class needs few directions, and its Gram matrix would cost more than finding them: a block Krylov
space of A′A, begun with the directions of a few examples, holds them after five or six blocks.
"""

import concurrent.futures
import functools
import os

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from memorize_jax.measurements.decoding.grams import largest_magnitude
from memorize_jax.measurements.decoding.precise import RANK_TOLERANCE, Count, Directions, precise_directions
from memorize_jax.threads import one_thread

# Up to this number of features, or of examples, a full decomposition costs less than iterating.
FULL_SIZE = 1024
# The first directions are those of this many examples, which costs less than one product with all.
SAMPLE = 320
# The block is this share of the number the sample asks for: many narrow blocks converge faster than few wide ones.
BLOCK_SHARE = 0.6
# Enough when another block adds less than this share of the smallest wanted eigenvalue to the sum of the wanted.
TOLERANCE = 0.02


def class_directions(
    activations: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], num_classes: int, count: Count
) -> Directions:
    """Finds the leading right singular vectors of every class's activations, and the squares of its singular values.

    Args:
      activations: finite.
      labels: in 0 .. num_classes - 1.
      num_classes: P.
      count: how many are needed.
    """

    def solve(label):
        rows = activations[labels == label]
        # The square of a large number is infinite, of a small one zero.
        rows /= largest_magnitude(rows)
        return _leading(rows, count)

    # A thread for each class goes better than all threads on one.
    with one_thread(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(solve, range(num_classes)))


def _leading(rows, count):
    # Rows in the precision of the activations, their sum in float64: it decides where the share is reached.
    total = float(np.sum(np.einsum("ij,ij->i", rows, rows), dtype=np.float64))
    if not total:
        return np.zeros(0), np.zeros((0, rows.shape[1]), rows.dtype), total
    found = _iterate(rows, count, total) if min(rows.shape) > FULL_SIZE else None
    values, directions = found or _decompose(rows)
    rank = int(np.sum(values > RANK_TOLERANCE * np.finfo(rows.dtype).eps * values[0]))
    number = count(values[:rank], total)
    if number > rank:
        return precise_directions(rows, count)
    return values[:number], directions(number), total


def _decompose(rows):
    """All of them, from the smaller Gram matrix; directions(k) makes the first k, [k, d]."""
    is_dual = rows.shape[0] < rows.shape[1]
    values, vectors = _eigh(rows @ rows.T if is_dual else rows.T @ rows)
    if not is_dual:
        return values, lambda number: vectors[:, :number].T.astype(rows.dtype)
    # Rounding in a Gram matrix leaves the small ones slightly askew; QR puts that right, the large ones first.
    return values, lambda number: _orthonormal(rows.T @ vectors[:, :number].astype(rows.dtype)).T


def _iterate(rows, count, total):
    """A block Krylov space that grows until what is wanted of it changes no more; None where it would grow too wide."""
    basis = block = _first_block(rows, count)
    images = [rows @ block]
    gram = images[0].T @ images[0]
    values = np.linalg.eigvalsh(gram.astype(np.float64))[::-1]
    while basis.shape[1] + block.shape[1] <= min(rows.shape) / 2:
        block = _orthogonal_to(basis, (images[-1].T @ rows).T)
        basis = np.concatenate([basis, block], axis=1)
        images.append(rows @ block)
        *beside, own = [each.T @ images[-1] for each in images]
        beside = np.concatenate(beside)
        gram = np.block([[gram, beside], [beside.T, own]])
        before, values = values, np.linalg.eigvalsh(gram.astype(np.float64))[::-1]
        number = count(values, total)
        if number <= len(values):
            gained = np.sum(values[:number]) - np.sum(before[:number])
            if gained < TOLERANCE * values[number - 1]:
                values, rotation = _eigh(gram)
                return values, functools.partial(_combine, basis, rotation)
    return None


def _combine(basis, rotation, number):
    """The first `number` directions, [number, d]."""
    return (basis @ rotation[:, :number].astype(basis.dtype)).T


def _first_block(rows, count):
    """Leading directions of a sample, [d, b]."""
    sample = rows[:: -(-len(rows) // SAMPLE)]
    values, vectors = _eigh(sample @ sample.T)
    wanted = count(values, float(np.sum(values)))
    width = min(max(16, int(BLOCK_SHARE * wanted)), len(sample))
    return _orthonormal(sample.T @ vectors[:, :width].astype(rows.dtype))


def _orthogonal_to(basis, block):
    """Orthonormal columns beside those of `basis`; twice, for once leaves what rounding puts back."""
    for _ in range(2):
        block = _orthonormal(block - basis @ (basis.T @ block))
    return block


def _orthonormal(block):
    # NumPy's would compute in float64.
    return np.asarray(scipy.linalg.qr(block, mode="economic", overwrite_a=True, check_finite=False)[0])


def _eigh(matrix):
    """Decreasing eigenvalues and their vectors, float64."""
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return values[::-1], vectors[:, ::-1]
