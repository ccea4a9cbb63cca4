"""Batch normalization over the real examples of a global batch."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Shaped

from memorize_jax.models.normalization import EPSILON, normalize

# PyTorch's value; Flax's of 0.99 would lag two epochs behind at 49 steps an epoch.
MOMENTUM = 0.9


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
        if not train:
            mean, var = running_mean.value, running_var.value
            return ((x - mean) * (jax.lax.rsqrt(var + EPSILON) * scale) + bias).astype(self.dtype)
        # While initializing there is no axis yet, whatever the name.
        axis_name = None if self.is_initializing() else self.axis_name
        is_real = jnp.ones(x.shape[0], bool) if mask is None else jnp.asarray(mask).astype(bool)
        normalized: Any = normalize(axis_name, x, scale, bias, is_real)
        out, mean, var = normalized
        if not self.is_initializing():
            running_mean.value = MOMENTUM * running_mean.value + (1 - MOMENTUM) * mean
            running_var.value = MOMENTUM * running_var.value + (1 - MOMENTUM) * var
        return out.astype(self.dtype)
