"""Dropout that is the same on any number of devices."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Dropout(nn.Module):
    """Zeroes units at random and scales the others up, as `flax.linen.Dropout`, from the stream "dropout" in rngs.

    Each example draws from its own key, derived from its position in the global batch: the mask neither depends on
    how a batch is split over devices nor on how much padding follows it.

    Attributes:
      rate: share of units dropped, in [0, 1).
      axis_name: of the devices that share a batch, each holding equally many examples; None outside `pmap`.
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
