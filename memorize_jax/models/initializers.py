"""How kernels and biases start; the paper does not say how its own do.

- lecun, Flax's default: normal kernels of variance 1 / fan_in, truncated at two deviations, zero biases;
- glorot (Glorot and Bengio, 2010, which the paper cites): kernels uniform within sqrt(6 / (fan_in + fan_out)), zero
  biases;
- torch, PyTorch's default: kernels and biases uniform within 1 / sqrt(fan_in).
"""

from collections.abc import Callable

import jax
from flax.linen import initializers

INITS = ("lecun", "glorot", "torch")


def check_init(init: str) -> None:
    """Raises ValueError, naming the valid ones, unless `init` is one of `INITS`."""
    if init not in INITS:
        raise ValueError(f"expected init to be one of {', '.join(INITS)}, got {init!r}")


def kernel_and_bias_init(init: str, fan_in: int) -> tuple[Callable, Callable]:
    """Gives the initializers of one layer; a unit has fan_in inputs, which the shape of a bias does not show."""
    check_init(init)
    if init == "lecun":
        return initializers.lecun_normal(), initializers.zeros_init()
    if init == "glorot":
        return initializers.glorot_uniform(), initializers.zeros_init()

    def uniform(key, shape, dtype):
        return jax.random.uniform(key, shape, dtype, minval=-(fan_in**-0.5), maxval=fan_in**-0.5)

    return uniform, uniform
