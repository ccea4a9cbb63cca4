"""The networks of MNIST-1D's experiment on double descent (Greydanus and Kobak, 2024), for sequences [n, length]."""

from typing import ClassVar

import flax.linen as nn

from memorize_jax.models.convolution import convolve
from memorize_jax.models.layers import AFTER_RELU, LOGITS, layer
from memorize_jax.models.mlp import MLP, dense_layers
from memorize_jax.models.network import Inputs, Logits, Mask, Network

MLP_LAYERS = dense_layers(2)
CNN_LAYERS = (*(layer("conv", number, AFTER_RELU) for number in (1, 2, 3)), layer("linear", 4, LOGITS))
# Of the three convolutions, each with stride 2 and one zero on either side.
CNN_KERNELS = (5, 3, 3)
CNN_SHORTEST_SEQUENCE = 3


class Mnist1dMLP(MLP):
    """2 x [Linear + ReLU] + Linear."""

    width: int = 100
    multiples: ClassVar[tuple[int, ...]] = (1, 1)


class Mnist1dCNN(Network):
    """3 x [convolution along the sequence + ReLU] + Linear."""

    width: int = 25

    @nn.compact
    def __call__(self, x: Inputs, train: bool = False, mask: Mask | None = None) -> Logits:
        """Maps sequences [n, length] to logits."""
        del train, mask
        x = x[..., None]
        for size, convolution in zip(CNN_KERNELS, CNN_LAYERS, strict=False):
            options = {"strides": 2, "padding": 1, "conv_general_dilated": convolve}
            options |= self._options(size * x.shape[-1])
            x = nn.Conv(self.width, (size,), name=convolution.name, **options)(x)
            x = self.record(nn.relu(x), convolution.name)
        return self.logits(x.reshape(x.shape[0], -1), CNN_LAYERS[-1].name)
