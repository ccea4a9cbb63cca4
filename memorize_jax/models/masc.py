"""The networks of Ketha and Ramaswamy (2025), in whose layers subspace probes read."""

import flax.linen as nn
import jax

from memorize_jax.models.layers import AFTER_POOLING, AFTER_RELU, LOGITS, layer
from memorize_jax.models.network import Network
from memorize_jax.models.pooling import max_pool

# Units of every hidden layer, as multiples of the width.
MLP_MULTIPLES = (1, 4, 16, 16)
MLP_LAYERS = (*(layer("linear", number, AFTER_RELU) for number in range(1, 5)), layer("linear", 5, LOGITS))

# Channels of every convolution, as multiples of the width; a pooling after every second.
CNN_MULTIPLES = (1, 1, 2, 2, 4, 4)
# The authors' 250 units for a width of 16.
CNN_HIDDEN = 250 / 16
CNN_LAYERS = (
    *(layer("conv", number, AFTER_RELU) for number in range(1, 6)),
    layer("conv", 6, AFTER_POOLING),
    *(layer("linear", number, AFTER_RELU) for number in range(7, 10)),
    layer("linear", 10, LOGITS),
)
# Three poolings halve height and width.
CNN_SMALLEST_IMAGE = 8


class MascMLP(Network):
    """4 x [Linear + ReLU] + Linear.

    Attributes:
      width: units of the first hidden layer; 128 in the paper. The others have 4, 16 and 16 times as many.
    """

    width: int = 128

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """Maps inputs [n, ...] to logits [n, num_classes]."""
        del train, mask
        x = x.reshape(x.shape[0], -1)
        for hidden, multiple in zip(MLP_LAYERS[:-1], MLP_MULTIPLES, strict=True):
            x = self.tap(nn.relu(self.linear(x, multiple * self.width, hidden.name)), hidden.name)
        return self.logits(x, MLP_LAYERS[-1].name)


class MascCNN(Network):
    """3 x [2 x (convolution + ReLU) + pooling], 3 x [Linear + ReLU], a linear layer without bias.

    Attributes:
      width: channels of the first convolution; 16 in the paper. The hidden linear layers have 250 / 16 times as many
        units.
    """

    width: int = 16

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False, mask: jax.Array | None = None) -> jax.Array:
        """Maps images [n, height, width, channels] to logits [n, num_classes]."""
        del train, mask
        for number, multiple in enumerate(CNN_MULTIPLES, 1):
            x = nn.relu(self.conv(x, multiple * self.width, 3, f"conv{number}"))
            pooled = max_pool(x) if number % 2 == 0 else x
            # The probed representation after the convolutions is the pooled one, flattened.
            self.tap(pooled if number == len(CNN_MULTIPLES) else x, f"conv{number}")
            x = pooled
        x = x.reshape(x.shape[0], -1)
        for hidden in CNN_LAYERS[-4:-1]:
            x = self.tap(nn.relu(self.linear(x, int(CNN_HIDDEN * self.width), hidden.name)), hidden.name)
        return self.logits(x, CNN_LAYERS[-1].name, bias=False)
