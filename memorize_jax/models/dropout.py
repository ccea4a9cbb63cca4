"""Dropout that is the same on any number of devices."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Dropout(nn.Module):
    """Zeroes a share of the units at random and scales the others up, as `flax.linen.Dropout`, by rngs["dropout"].

    Each example draws from its own key, derived from its position in the global batch: the mask depends neither on
    how a batch is split over the devices of `axis_name`, each with equally many examples, nor on padding after it.
    """

    rate: float
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Float[Array, "n ..."], train: bool) -> Float[Array, "n ..."]:
        """Drops units if `train`."""
        if not train or self.rate == 0:
            return x
        num = x.shape[0]
        # While initializing there is no axis yet, whatever the name.
        on_axis = self.axis_name is not None and not self.is_initializing()
        first = jax.lax.axis_index(self.axis_name) * num if on_axis else 0
        keys = jax.vmap(jax.random.fold_in, (None, 0))(self.make_rng("dropout"), first + jnp.arange(num))
        kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - self.rate, x.shape[1:]))(keys)
        return jnp.where(kept, x / (1 - self.rate), 0)
