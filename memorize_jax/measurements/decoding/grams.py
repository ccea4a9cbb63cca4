"""Inner products of a layer's activations, class by class, accumulated over batches."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

# What one batch on the device may take. A layer may be wider than memory; its batches never are.
BATCH_BYTES = 2**28
# Sizes are rounded up to a multiple of this, and large ones further, so that similar sizes share a compiled program.
ROUND = 64


class ClassGrams(NamedTuple):
    """Second moments of the activations A of every class, about the origin, not the mean.

    Attributes:
      gram: A′A with m = d features, or AA′ with m = n, the size of the largest class, rounded up.
      members: which examples the rows of A are.
      mask: False where a class has fewer examples than the largest.
      scale: what the activations of each class were divided by, so that float32 neither overflows nor underflows.
      is_dual: whether it is AA′, there being fewer examples than features.
    """

    gram: Float[jax.Array, "P m m"]
    members: Int[np.ndarray, "P n"]
    mask: Bool[np.ndarray, "P n"]
    scale: Float[np.ndarray, " P"]
    is_dual: bool


def rounded_up(size: int) -> int:
    """The next of 64, 128, 192, 256, 320, 384, 448, 512, 640, ...: at most a quarter more."""
    unit = max(ROUND, 2 ** (max(size, 1) - 1).bit_length() // 8)
    return unit * max(1, -(-size // unit))


def largest_magnitude(activations: Float[np.ndarray, "n d"]) -> float:
    """Of any activation; 1 if all are zero."""
    return float(max(activations.max(initial=0), -activations.min(initial=0))) or 1.0


def class_grams(activations: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], num_classes: int) -> ClassGrams:
    """Computes the smaller of A′A and AA′ for every class, in the precision of the activations."""
    num_features = activations.shape[1]
    members, mask = _class_members(labels, num_classes)
    largest = members.shape[1]
    scale = [largest_magnitude(activations[own[real]]) for own, real in zip(members, mask, strict=True)]
    scale = np.array(scale, activations.dtype)
    is_dual = largest < num_features
    along, across = (num_features, largest) if is_dual else (largest, num_features)
    gram = jnp.zeros((num_classes, across, across), activations.dtype)
    step = int(np.clip(BATCH_BYTES // (num_classes * across * activations.itemsize), ROUND, max(ROUND, along)))
    for start in range(0, along, step):
        part = slice(start, min(start + step, along))
        if is_dual:
            block = np.swapaxes(activations[:, part][members], 1, 2) * mask[:, None, :]
        else:
            block = activations[members[:, part]]
            block[~mask[:, part]] = 0
        block = np.pad(block, ((0, 0), (0, step - block.shape[1]), (0, 0)))
        gram = _accumulate(gram, block / scale[:, None, None])
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
def _accumulate(gram, block):
    """Adds block′ block to the Gram matrix of every class; block: [P, rows, m]."""
    with jax.default_matmul_precision("highest"):
        return gram + jax.lax.map(_symmetric_product, block)


def _symmetric_product(rows):
    """rows′ rows, [m, m]; of a wide one only the upper blocks are multiplied, the lower ones mirrored."""
    size = rows.shape[1]
    if size < 4 * ROUND or size % 4:
        return rows.T @ rows
    parts = jnp.split(rows, 4, axis=1)
    upper = {(i, j): parts[i].T @ parts[j] for i in range(4) for j in range(i, 4)}
    return jnp.block([[upper[i, j] if i <= j else upper[j, i].T for j in range(4)] for i in range(4)])
