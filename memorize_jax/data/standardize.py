"""Standardization of images on the device, after the gather: data sets stay uint8."""

from typing import NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Num, Shaped

AnyArray = TypeVar("AnyArray", Array, np.ndarray)
SCALINGS = ("channels", "symmetric")


class ChannelStatistics(NamedTuple):
    """What is subtracted and divided by, in the unit of the stored values; the deviation of a constant channel is 1."""

    mean: Float32[np.ndarray, " channels"]
    deviation: Float32[np.ndarray, " channels"]


def channel_statistics(images: Shaped[np.ndarray, "n ..."], scaling: str = "channels") -> ChannelStatistics:
    """Decides how uint8 images [n, height, width, channels] are scaled; other data stay as they are.

    "channels" gives mean 0 and deviation 1 of every channel of these images, "symmetric" brings [0, 255] to [-1, 1].
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


def standardize(images: Num[AnyArray, "*shape"], statistics: ChannelStatistics | None) -> Num[AnyArray, "*shape"]:
    """Subtracts the mean of each channel (last axis) and divides by its deviation; float32, unless float64 comes in.

    Without statistics images stay as they are: a network of another library takes them so.
    """
    if statistics is None:
        return images
    dtype = images.dtype if jnp.issubdtype(images.dtype, jnp.floating) else jnp.float32
    return (images.astype(dtype) - statistics.mean) / statistics.deviation
