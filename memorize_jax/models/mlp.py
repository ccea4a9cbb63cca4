"""The paper's multi-layer perceptron (table 1)."""

from typing import ClassVar

import flax.linen as nn

from memorize_jax.models.layers import AFTER_RELU, LOGITS, Layer, layer
from memorize_jax.models.network import Inputs, Logits, Mask, Network


def dense_layers(num_hidden: int) -> tuple[Layer, ...]:
    """Lists the layers of an MLP."""
    hidden = (layer("linear", number, AFTER_RELU) for number in range(1, num_hidden + 1))
    return (*hidden, layer("linear", num_hidden + 1, LOGITS))


LAYERS = dense_layers(5)


class MLP(Network):
    """5 x [Linear + ReLU] + Linear."""

    width: int = 1024
    # Units of every hidden layer, as multiples of the width.
    multiples: ClassVar[tuple[int, ...]] = (1, 1, 1, 1, 1)

    @nn.compact
    def __call__(self, x: Inputs, train: bool = False, mask: Mask | None = None) -> Logits:
        """Maps inputs to logits."""
        del train, mask
        x = x.reshape(x.shape[0], -1)
        for number, multiple in enumerate(self.multiples, 1):
            x = self.record(nn.relu(self.linear(x, multiple * self.width, f"linear{number}")), f"linear{number}")
        return self.logits(x, f"linear{len(self.multiples) + 1}")
