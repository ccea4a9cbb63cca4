"""Convolution of sequences, and of images that may be smaller than the kernel."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float


def convolve(
    inputs: Float[Array | np.ndarray, "n *extents channels"],
    kernel: Float[Array, "*sizes channels features"],
    strides,
    padding,
    **options,
) -> Float[Array, "n *positions features"]:
    """Convolves images or sequences with a kernel, as `lax.conv_general_dilated` does and `flax.linen.Conv` calls it.

    On a CPU, images smaller than the kernel are multiplied by it as a matrix of all pixels by all positions, and
    sequences, and images that are little larger, patch by patch: there XLA convolves them, or the gradient by them, in
    a scalar loop that takes several times as long (docs/performance.md). The sums are the same up to rounding. Without
    dilation or groups.
    """

    def by_convolution(inputs, kernel):
        return lax.conv_general_dilated(inputs, kernel, strides, padding, **options)

    def by_matrix(inputs, kernel):
        matrix, positions = _as_matrix(kernel, inputs.shape[1:-1], strides, padding)
        out = jnp.matmul(inputs.reshape(inputs.shape[0], -1), matrix, precision=options["precision"])
        return out.reshape(inputs.shape[0], *positions, kernel.shape[-1])

    def by_patches(inputs, kernel):
        patches = _patches(inputs, kernel.shape[:-2], strides, padding)
        return jnp.matmul(patches, kernel.reshape(-1, kernel.shape[-1]), precision=options["precision"])

    extents = list(zip(inputs.shape[1:-1], kernel.shape[:-2], strides, strict=True))
    if _is_better_as_matrix(inputs.shape, kernel.shape):
        return lax.platform_dependent(inputs, kernel, cpu=by_matrix, default=by_convolution)
    if inputs.ndim == 3 or any(_is_small(*extent) for extent in extents):
        return lax.platform_dependent(inputs, kernel, cpu=by_patches, default=by_convolution)
    return by_convolution(inputs, kernel)


def _is_small(extent, size, stride):
    # With a stride it is the gradient's turn: it convolves an output of half the extent.
    return extent < size or (stride > 1 and extent <= size + 1)


def _is_better_as_matrix(images, kernel):
    """Whether every pixel by every position are fewer products than with patches, and the matrix is quickly made."""
    extents, sizes = images[1:-1], kernel[:-2]
    is_fewer = all(extent < size for extent, size in zip(extents, sizes, strict=True))
    is_tiny = all(2 * extent <= size + 1 for extent, size in zip(extents, sizes, strict=True))
    is_light = math.prod(extents) * kernel[-1] <= images[0] * math.prod(sizes)
    return is_fewer and (is_tiny or is_light)


def _as_matrix(kernel, extents, strides, padding):
    """The convolution as one matrix, [pixels x channels, positions x features], and the extents of its output."""
    sizes, before = kernel.shape[:-2], [first for first, _ in padding]
    ends = [extent + sum(around) - size + 1 for extent, around, size in zip(extents, padding, sizes, strict=True)]
    positions = [range(0, end, stride) for end, stride in zip(ends, strides, strict=True)]
    # Zeros where the image reaches beyond the kernel.
    low = [max(0, each[-1] - first) for each, first in zip(positions, before, strict=True)]
    high = [max(0, first + extent - size) for first, extent, size in zip(before, extents, sizes, strict=True)]
    padded = jnp.pad(kernel, (*zip(low, high, strict=True), (0, 0), (0, 0)))
    seen = []
    for at in itertools.product(*positions):
        # The part of the kernel that lies over the image when the output is at this position.
        starts = [zeros + first - one for zeros, first, one in zip(low, before, at, strict=True)]
        seen.append(padded[tuple(slice(start, start + extent) for start, extent in zip(starts, extents, strict=True))])
    matrix = jnp.stack(seen, axis=-2)
    return matrix.reshape(math.prod(matrix.shape[:-2]), -1), [len(each) for each in positions]


def _patches(inputs, sizes, strides, padding):
    inputs = jnp.pad(inputs, ((0, 0), *padding, (0, 0)))
    ends = [extent - size + 1 for extent, size in zip(inputs.shape[1:-1], sizes, strict=True)]
    shifted = []
    for offsets in itertools.product(*map(range, sizes)):
        positions = (slice(at, at + end, step) for at, end, step in zip(offsets, ends, strides, strict=True))
        shifted.append(inputs[:, *positions])
    return jnp.concatenate(shifted, axis=-1)
