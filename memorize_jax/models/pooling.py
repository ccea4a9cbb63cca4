"""Pooling as comparisons of four shifted images."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def max_pool(x: Float[Array, "n height width channels"]) -> Float[Array, "n height//2 width//2 channels"]:
    """Takes the maximum of every 2 x 2 pixels; the last row or column of an odd extent is left out.

    As `flax.linen.max_pool(x, (2, 2), (2, 2))`, whose gradient XLA's CPU backend selects and scatters in a scalar loop
    that takes many times as long as that of comparisons (docs/performance.md). Of equal pixels each takes its share
    of the gradient, where flax gives it to the first; the zeros after a ReLU pass none on either way.
    """
    ends = [extent // 2 * 2 for extent in x.shape[1:3]]
    rows = [x[:, first : ends[0] : 2] for first in range(2)]
    taller = jnp.maximum(*rows)
    return jnp.maximum(*[taller[:, :, first : ends[1] : 2] for first in range(2)])
