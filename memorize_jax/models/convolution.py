"""Convolution of sequences, and of images that may be smaller than the kernel."""

import itertools

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

    On a CPU, sequences, and images smaller than the kernel, are multiplied by it as a matrix: there XLA convolves them,
    or the gradient by them, in a scalar loop that takes several times as long (docs/performance.md). The sums are the
    same up to rounding. Without dilation or groups.
    """

    def by_convolution(inputs, kernel):
        return lax.conv_general_dilated(inputs, kernel, strides, padding, **options)

    def by_product(inputs, kernel):
        patches = _patches(inputs, kernel.shape[:-2], strides, padding)
        return jnp.matmul(patches, kernel.reshape(-1, kernel.shape[-1]), precision=options["precision"])

    extents = zip(inputs.shape[1:-1], kernel.shape[:-2], strides, strict=True)
    if inputs.ndim == 3 or any(_is_small(*extent) for extent in extents):
        return lax.platform_dependent(inputs, kernel, cpu=by_product, default=by_convolution)
    return by_convolution(inputs, kernel)


def _is_small(extent, size, stride):
    # With a stride it is the gradient's turn: it convolves an output of half the extent.
    return extent < size or (stride > 1 and extent <= size + 1)


def _patches(inputs, sizes, strides, padding):
    inputs = jnp.pad(inputs, ((0, 0), *padding, (0, 0)))
    ends = [extent - size + 1 for extent, size in zip(inputs.shape[1:-1], sizes, strict=True)]
    shifted = []
    for offsets in itertools.product(*map(range, sizes)):
        positions = (slice(at, at + end, step) for at, end, step in zip(offsets, ends, strides, strict=True))
        shifted.append(inputs[:, *positions])
    return jnp.concatenate(shifted, axis=-1)
