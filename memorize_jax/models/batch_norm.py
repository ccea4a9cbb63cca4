"""Batch normalization over the real examples of a global batch."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Shaped

# PyTorch's values; Flax's momentum of 0.99 would lag two epochs behind at 49 steps an epoch.
MOMENTUM = 0.9
EPSILON = 1e-5


class BatchNorm(nn.Module):
    """Batch normalization whose statistics ignore padding and do not depend on the number of devices.

    `flax.linen.BatchNorm` averages the means of the devices, which is the mean of the batch only if every device
    has as many real examples as the others; one that has none makes it NaN. Here sums and counts are added up.
    Variables have the names of `flax.linen.BatchNorm`: params scale and bias, batch_stats mean and (biased) var; they
    are float32 or wider whatever the dtype of the output. Devices of `axis_name` share a batch.
    """

    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: Float[Array | np.ndarray, "n ..."], train: bool, mask: Shaped[Array | np.ndarray, " n"] | None = None
    ) -> Float[Array, "n ..."]:
        """Normalizes each channel (last axis); in training by the statistics of the batch, where the mask is not 0."""
        channels = x.shape[-1:]
        wide = jnp.promote_types(self.dtype, jnp.float32)
        scale = self.param("scale", nn.initializers.ones_init(), channels, wide)
        bias = self.param("bias", nn.initializers.zeros_init(), channels, wide)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels, wide)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels, wide)
        x = jnp.asarray(x, wide)
        if train:
            # While initializing there is no axis yet, whatever the name.
            mean, var = _moments(x, mask, None if self.is_initializing() else self.axis_name)
            if not self.is_initializing():
                running_mean.value = MOMENTUM * running_mean.value + (1 - MOMENTUM) * mean
                running_var.value = MOMENTUM * running_var.value + (1 - MOMENTUM) * var
        else:
            mean, var = running_mean.value, running_var.value
        return ((x - mean) * (jax.lax.rsqrt(var + EPSILON) * scale) + bias).astype(self.dtype)


def _moments(x, mask, axis_name):
    axes = tuple(range(x.ndim - 1))
    positions = x[0, ..., 0].size
    if mask is None:
        count = jnp.asarray(x.shape[0] * positions, x.dtype)
    else:
        x = jnp.where(mask.astype(bool).reshape(-1, *(1,) * (x.ndim - 1)), x, 0)
        count = jnp.sum(mask.astype(x.dtype)) * positions
    # One pass over x and one message between devices.
    sums = jnp.stack([jnp.sum(x, axes), jnp.sum(jnp.square(x), axes)])
    if axis_name is not None:
        sums, count = jax.lax.psum((sums, count), axis_name)
    mean, square = sums / count
    # Rounding can take the difference below zero.
    return mean, jnp.maximum(square - jnp.square(mean), 0)
