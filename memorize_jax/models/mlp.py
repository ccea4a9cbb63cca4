"""The paper's multi-layer perceptron (table 1)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

NUM_HIDDEN = 5
LAYERS = tuple(f"linear{number}" for number in range(1, NUM_HIDDEN + 2))


class MLP(nn.Module):
    """5 x [Linear + ReLU] + Linear.

    Every layer's activation is sown under the layer's own name: after the ReLU, and the logits for the last.

    Attributes:
      num_classes: outputs.
      width: hidden units per layer; 1024 in the paper.
      dtype: of the computation; parameters are float32 (or wider).
    """

    num_classes: int
    width: int = 1024
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps inputs [n, ...] to logits [n, num_classes]."""
        del train
        param_dtype = jnp.promote_types(self.dtype, jnp.float32)
        x = x.reshape(x.shape[0], -1)
        for name in LAYERS[:-1]:
            x = nn.relu(nn.Dense(self.width, dtype=self.dtype, param_dtype=param_dtype, name=name)(x))
            self.sow("intermediates", f"{name}_out", x)
        x = nn.Dense(self.num_classes, dtype=self.dtype, param_dtype=param_dtype, name=LAYERS[-1])(x)
        self.sow("intermediates", f"{LAYERS[-1]}_out", x)
        return x
