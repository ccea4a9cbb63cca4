"""The unit of length that numbers are divided by before their squares are taken."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def power_of_two(size: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """The power of two below a size, 1 if it is zero or not finite: dividing by it does not round.

    So equal points stay equal, and the squares of 1e-30 or 1e30 stay inside float32.
    """
    usable = jnp.isfinite(size) & (size > 0)
    _, exponent = jnp.frexp(jnp.where(usable, size, 1))
    return jnp.ldexp(jnp.ones_like(size), exponent - 1)
