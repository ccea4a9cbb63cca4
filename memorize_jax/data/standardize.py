"""Standardisation of images on the device, after the gather: data sets stay uint8."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

SCALINGS = ("channels", "symmetric")


class ChannelStatistics(NamedTuple):
    """What is subtracted and divided by, per channel, in the unit of the stored values.

    Attributes:
      mean: [channels] float32.
      deviation: [channels] float32, 1 where a channel is constant.
    """

    mean: np.ndarray
    deviation: np.ndarray


def channel_statistics(images: np.ndarray, scaling: str = "channels") -> ChannelStatistics:
    """Decides how images are brought to the range that a network expects.

    Args:
      images: [n, height, width, channels] uint8; other data (float, or without channels) are left as they are.
      scaling: "channels", mean 0 and deviation 1 of every channel of these images; "symmetric", from [0, 255] to
        [-1, 1], whatever the images.

    Returns:
      ChannelStatistics; (0, 1) for data that are not uint8 images.

    Raises:
      ValueError: unknown scaling.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"expected scaling to be one of {', '.join(SCALINGS)}, got {scaling!r}")
    if images.dtype != np.uint8 or images.ndim != 4:
        return ChannelStatistics(np.zeros(1, np.float32), np.ones(1, np.float32))
    if scaling == "symmetric":
        return ChannelStatistics(*np.full((2, images.shape[-1]), 127.5, np.float32))
    # Exact sums from histograms: float accumulation over 1e8 pixels would drift.
    levels = np.arange(256, dtype=np.float64)
    counts = np.stack([np.bincount(images[..., c].ravel(), minlength=256) for c in range(images.shape[-1])])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean = share @ levels
    deviation = np.sqrt(np.maximum(share @ levels**2 - mean**2, 0))
    return ChannelStatistics(mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32))


def standardize(images: jax.Array, statistics: ChannelStatistics) -> jax.Array:
    """Brings images to the range of `channel_statistics`.

    Args:
      images: [n, ..., channels] uint8 or float.
      statistics: of the training set.

    Returns:
      [n, ..., channels] float32 (float64 stays).
    """
    dtype = images.dtype if jnp.issubdtype(images.dtype, jnp.floating) else jnp.float32
    return (images.astype(dtype) - statistics.mean) / statistics.deviation
