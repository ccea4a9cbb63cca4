"""Standardisation of images on the device, after the gather: data sets stay uint8."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class ChannelStatistics(NamedTuple):
    """Mean and standard deviation per channel, in the unit of the stored values.

    Attributes:
      mean: [channels] float32.
      deviation: [channels] float32, 1 where a channel is constant.
    """

    mean: np.ndarray
    deviation: np.ndarray


def channel_statistics(images: np.ndarray) -> ChannelStatistics:
    """Measures the channels of training images.

    Args:
      images: [n, height, width, channels] uint8; other data (float, or without channels) are left as they are.

    Returns:
      ChannelStatistics; (0, 1) for data that are not uint8 images.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        return ChannelStatistics(np.zeros(1, np.float32), np.ones(1, np.float32))
    # Exact sums from histograms: float accumulation over 1e8 pixels would drift.
    levels = np.arange(256, dtype=np.float64)
    counts = np.stack([np.bincount(images[..., c].ravel(), minlength=256) for c in range(images.shape[-1])])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean = share @ levels
    deviation = np.sqrt(np.maximum(share @ levels**2 - mean**2, 0))
    return ChannelStatistics(mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32))


def standardize(images: jax.Array, statistics: ChannelStatistics) -> jax.Array:
    """Brings images to mean 0 and deviation 1 per channel of the training set.

    Args:
      images: [n, ..., channels] uint8 or float.
      statistics: of the training set.

    Returns:
      [n, ..., channels] float32 (float64 stays).
    """
    dtype = images.dtype if jnp.issubdtype(images.dtype, jnp.floating) else jnp.float32
    return (images.astype(dtype) - statistics.mean) / statistics.deviation
