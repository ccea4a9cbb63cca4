"""Inner products of a layer's activations, class by class, accumulated over batches."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# What one batch on the device may take. A layer may be wider than memory; its batches never are.
BATCH_BYTES = 2**28
# Sizes are rounded up to a multiple of this, and large ones further, so that similar sizes share a compiled program.
ROUND = 64


class ClassGrams(NamedTuple):
    """Second moments of every class, about the origin, not the mean.

    Attributes:
      gram: [P, m, m]. A′A, [d, d], or with `is_dual` AA′, [n, n], where n is the size of the largest class, rounded up.
      members: [P, n] int, which examples the rows of A are.
      mask: [P, n] bool, False where a class has fewer examples than the largest.
      scale: what activations were divided by, so that float32 neither overflows nor underflows.
      is_dual: whether there are fewer examples than features.
    """

    gram: jax.Array
    members: np.ndarray
    mask: np.ndarray
    scale: float
    is_dual: bool


def rounded_up(size: int) -> int:
    """The next of 64, 128, 192, 256, 320, 384, 448, 512, 640, ...: at most a quarter more."""
    unit = max(ROUND, 2 ** (max(size, 1) - 1).bit_length() // 8)
    return unit * max(1, -(-size // unit))


def class_grams(activations: np.ndarray, labels: np.ndarray, num_classes: int) -> ClassGrams:
    """Computes the smaller of A′A and AA′ for the activations A of every class.

    Args:
      activations: [n, d] float32 or float64, on the host.
      labels: [n] integer, in 0 .. num_classes - 1.
      num_classes: P.

    Returns:
      ClassGrams in the precision of the activations (float64 needs jax_enable_x64).
    """
    num_features = activations.shape[1]
    members, mask = _class_members(labels, num_classes)
    largest = members.shape[1]
    scale = float(max(activations.max(initial=0), -activations.min(initial=0))) or 1.0
    is_dual = largest < num_features
    size = largest if is_dual else num_features
    item = activations.dtype.itemsize
    gram = jnp.zeros((num_classes, size, size), activations.dtype)
    along, across = (num_features, largest) if is_dual else (largest, num_features)
    step = int(np.clip(BATCH_BYTES // (num_classes * across * item), ROUND, max(ROUND, along)))
    for start in range(0, along, step):
        part = slice(start, min(start + step, along))
        if is_dual:
            block = np.swapaxes(activations[:, part][members], 1, 2) * mask[:, None, :]
        else:
            block = activations[members[:, part]]
            block[~mask[:, part]] = 0
        missing = step - block.shape[1]
        if missing:
            block = np.pad(block, ((0, 0), (0, missing), (0, 0)))
        gram = _accumulate(gram, block.astype(activations.dtype, copy=False), 1 / scale)
    return ClassGrams(gram, members, mask, scale, is_dual)


def _class_members(labels, num_classes):
    """[P, n] indices of the examples of every class, filled up with example 0, and which are real."""
    counts = np.bincount(labels, minlength=num_classes)
    largest = rounded_up(int(counts.max(initial=0)))
    members = np.zeros((num_classes, largest), int)
    for label, count in enumerate(counts):
        members[label, :count] = np.flatnonzero(labels == label)
    return members, np.arange(largest) < counts[:, None]


@jax.jit
def _accumulate(gram, block, factor):
    """Adds block′ block to the Gram matrix of every class; block: [P, rows, m]."""
    with jax.default_matmul_precision("highest"):
        return gram + jax.lax.map(_symmetric_product, block * jnp.asarray(factor, block.dtype))


def _symmetric_product(rows):
    """rows′ rows, [m, m]; of a wide one only the upper blocks are multiplied, the lower ones mirrored."""
    size = rows.shape[1]
    if size < 4 * ROUND or size % 4:
        return rows.T @ rows
    parts = jnp.split(rows, 4, axis=1)
    blocks = [[parts[i].T @ parts[j] if i <= j else None for j in range(4)] for i in range(4)]
    return jnp.block([[blocks[i][j] if i <= j else blocks[j][i].T for j in range(4)] for i in range(4)])
