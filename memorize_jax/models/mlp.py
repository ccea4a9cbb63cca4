"""The paper's multi-layer perceptron (table 1)."""

import flax.linen as nn
import jax

from memorize_jax.models.layers import AFTER_RELU, LOGITS, layer
from memorize_jax.models.network import Network

NUM_HIDDEN = 5
LAYERS = (
    *(layer("linear", number, AFTER_RELU) for number in range(1, NUM_HIDDEN + 1)),
    layer("linear", NUM_HIDDEN + 1, LOGITS),
)


class MLP(Network):
    """5 x [Linear + ReLU] + Linear.

    Attributes:
      width: hidden units per layer; 1024 in the paper.
    """

    width: int = 1024

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """Maps inputs [n, ...] to logits [n, num_classes]."""
        del train, mask
        x = x.reshape(x.shape[0], -1)
        for hidden in LAYERS[:-1]:
            x = self.tap(nn.relu(self.linear(x, self.width, hidden.name)), hidden.name)
        return self.logits(x, LAYERS[-1].name)
