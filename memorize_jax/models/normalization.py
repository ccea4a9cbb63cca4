"""Normalization of channels by the moments of a batch, in few passes over memory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

# PyTorch's value.
EPSILON = 1e-5


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def normalize(
    axis_name: str | None,
    x: Float[Array, "n ... channels"],
    scale: Float[Array | np.ndarray, " channels"],
    bias: Float[Array | np.ndarray, " channels"],
    is_real: Bool[Array, " n"],
) -> tuple[Float[Array, "n ... channels"], Float[Array, " channels"], Float[Array, " channels"]]:
    """Normalizes by mean and (biased) variance of the real examples on all devices (Ioffe and Szegedy, 2015).

    y = (x - mean) / sqrt(var + EPSILON) * scale + bias. Its gradient is written out: from what autodiff makes of it,
    XLA goes over the batch more often.

    Returns:
      y, mean and variance; the gradient of the latter two is left out.
    """
    return _forward(axis_name, x, scale, bias, is_real)[0]


def _forward(axis_name, x, scale, bias, is_real):
    real = jnp.where(_as_images(is_real, x), x, 0)
    count = jnp.sum(is_real, dtype=x.dtype) * x[0, ..., 0].size
    # One message between devices.
    total, squares, count = _over_devices((_sum(real), _sum(jnp.square(real)), count), axis_name)
    mean = total / count
    # Rounding can take the difference below zero.
    var = jnp.maximum(squares / count - jnp.square(mean), 0)
    inverse = jax.lax.rsqrt(var + EPSILON)
    out = (x - mean) * (inverse * scale) + bias
    return (out, mean, var), (x, scale, is_real, count, mean, var, inverse)


def _backward(axis_name, kept, gradients):
    x, scale, is_real, count, mean, var, inverse = kept
    gradient = gradients[0]
    of_bias, of_scale = _sum(gradient), _sum(gradient * (x - mean)) * inverse
    # What the moments pass on, which all real examples share.
    by_mean, by_var = _over_devices((of_bias, of_scale), axis_name)
    by_var = jnp.where(var > 0, by_var, 0)
    factor = inverse * scale
    shared = factor / count * (by_mean + (x - mean) * (inverse * by_var))
    return factor * gradient - jnp.where(_as_images(is_real, x), shared, 0), of_scale, of_bias, None


normalize.defvjp(_forward, _backward)


def _as_images(is_real, x):
    return is_real.reshape(-1, *(1,) * (x.ndim - 1))


def _sum(x):
    return jnp.sum(x, axis=tuple(range(x.ndim - 1)))


def _over_devices(sums, axis_name):
    return sums if axis_name is None else jax.lax.psum(sums, axis_name)
