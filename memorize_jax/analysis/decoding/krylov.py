"""The leading directions of one class on the host: read off the activations themselves where they are wide.

A processor multiplies as fast from NumPy as from a compiled program, and needs neither one size for all classes nor
compilation. Large products are made in the precision of the activations, small eigenproblems solved in float64, for
the reason given in `spectra`.

Of a wide layer a class needs few directions, and its Gram matrix would cost more than finding them: a block Krylov
space of A′A, begun with the directions of a few examples, holds them after four or five products with A and A′.
"""

import concurrent.futures
import os
from collections.abc import Callable

import numpy as np

from memorize_jax.analysis.decoding.spectra import RANK_TOLERANCE
from memorize_jax.analysis.decoding.threads import one_thread

# Up to this number of features, or of examples, a full decomposition costs less than iterating.
FULL_SIZE = 1024
# The first directions are those of this many examples, for they cost a twentieth of one product with all.
SAMPLE = 256
# The block is this share of the number the sample asks for: many narrow blocks converge faster than few wide ones.
BLOCK_SHARE = 0.75
# Enough when another block adds less than this share of the smallest wanted eigenvalue to the sum of the wanted.
TOLERANCE = 0.02


def class_directions(
    activations: np.ndarray, labels: np.ndarray, num_classes: int, count: Callable[[np.ndarray, float], int]
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Finds the leading right singular vectors of every class's activations A, and the squares of its singular values.

    Args:
      activations: [n, d] float32 or float64, finite.
      labels: [n] integer, in 0 .. num_classes - 1.
      num_classes: P.
      count: (decreasing squares [r], sum of all squares) -> how many are needed, more than r if r do not suffice.

    Returns:
      for every class (squares [k], decreasing, float64; directions [k, d], orthonormal; sum of all squares), in units
      of the largest activation; k is what `count` said, or the rank of A if that is less.
    """
    scale = float(max(activations.max(initial=0), -activations.min(initial=0))) or 1.0

    def solve(label):
        rows = activations[labels == label]
        # The square of a large number is infinite, of a small one zero.
        rows *= activations.dtype.type(1 / scale)
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
    number = min(count(values[:rank], total), rank)
    return values[:number], directions(number), total


def _decompose(rows):
    """All of them, from the smaller Gram matrix; directions(k) makes the first k, [k, d]."""
    is_dual = rows.shape[0] < rows.shape[1]
    values, vectors = _eigh(rows @ rows.T if is_dual else rows.T @ rows)
    if not is_dual:
        return values, lambda number: vectors[:, :number].T.astype(rows.dtype)
    # Rounding in a Gram matrix leaves the small ones slightly askew; QR puts that right, the large ones first.
    return values, lambda number: np.linalg.qr(rows.T @ vectors[:, :number].astype(rows.dtype))[0].T


def _iterate(rows, count, total):
    """A block Krylov space that grows until what is wanted of it changes no more; None where it would grow too wide."""
    basis = block = _first_block(rows, count)
    projected = images = rows @ block
    before = None
    while basis.shape[1] + block.shape[1] <= min(rows.shape) / 2:
        block = _orthogonal_to(basis, (images.T @ rows).T)
        images = rows @ block
        basis, projected = np.concatenate([basis, block], axis=1), np.concatenate([projected, images], axis=1)
        values, rotation = _eigh(projected.T @ projected)
        number = count(values, total)
        held = np.sum(values[:number])
        if number <= len(values) and before is not None and held - before[number] < TOLERANCE * values[number - 1]:
            return values, lambda number: (basis @ rotation[:, :number].astype(rows.dtype)).T
        before = np.concatenate([[0], np.cumsum(values), np.full(block.shape[1] + 1, np.sum(values))])
    return None


def _first_block(rows, count):
    """Leading directions of a sample, [d, b]."""
    sample = rows[:: -(-len(rows) // SAMPLE)]
    values, vectors = _eigh(sample @ sample.T)
    wanted = count(values, float(np.sum(values)))
    width = min(max(16, int(BLOCK_SHARE * wanted)), len(sample))
    return np.linalg.qr(sample.T @ vectors[:, :width].astype(rows.dtype))[0]


def _orthogonal_to(basis, block):
    """Orthonormal columns beside those of `basis`; twice, for once leaves what rounding puts back."""
    for _ in range(2):
        block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
    return block


def _eigh(matrix):
    """Decreasing eigenvalues and their vectors, float64."""
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return values[::-1], vectors[:, ::-1]
