"""The networks of Ketha and Ramaswamy (2025), whose layers subspace probes decode."""

from typing import ClassVar

import flax.linen as nn

from memorize_jax.models.layers import AFTER_POOLING, AFTER_RELU, LOGITS, layer
from memorize_jax.models.mlp import MLP, dense_layers
from memorize_jax.models.network import Images, Logits, Mask, Network
from memorize_jax.models.pooling import max_pool

MLP_LAYERS = dense_layers(4)

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


class MascMLP(MLP):
    """4 x [Linear + ReLU] + Linear."""

    width: int = 128
    multiples: ClassVar[tuple[int, ...]] = (1, 4, 16, 16)


class MascCNN(Network):
    """3 x [2 x (convolution + ReLU) + pooling], 3 x [Linear + ReLU], a linear layer without bias."""

    width: int = 16

    @nn.compact
    def __call__(self, x: Images, train: bool = False, mask: Mask | None = None) -> Logits:
        """Maps images to logits."""
        del train, mask
        for number, multiple in enumerate(CNN_MULTIPLES, 1):
            x = nn.relu(self.conv(x, multiple * self.width, 3, f"conv{number}"))
            pooled = max_pool(x) if number % 2 == 0 else x
            # The probed representation after the convolutions is the pooled one, flattened.
            self.record(pooled if number == len(CNN_MULTIPLES) else x, f"conv{number}")
            x = pooled
        x = x.reshape(x.shape[0], -1)
        for hidden in CNN_LAYERS[-4:-1]:
            x = self.record(nn.relu(self.linear(x, int(CNN_HIDDEN * self.width), hidden.name)), hidden.name)
        return self.logits(x, CNN_LAYERS[-1].name, bias=False)
