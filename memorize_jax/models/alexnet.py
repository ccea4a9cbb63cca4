"""The paper's modified AlexNet for images of 32 x 32 (table 2)."""

import flax.linen as nn

from memorize_jax.models.layers import AFTER_RELU, LOGITS, layer
from memorize_jax.models.network import Images, Logits, Mask, Network
from memorize_jax.models.pooling import max_pool

LAYERS = (*(layer("conv", number, AFTER_RELU) for number in (1, 3, 5, 6, 7)), layer("linear", 9, LOGITS))
# The first convolution divides height and width by 4 and three poolings halve them.
SMALLEST_IMAGE = 29


class AlexNet(Network):
    """Five convolutions with ReLU, three poolings, one linear layer; no BatchNorm.

    The table prints neither stride nor padding of the first convolution. Its linear layer has 1024 inputs, so the
    last pooling must leave one position: stride 4 and padding 5, as in the AlexNet usual for CIFAR, do. The width is
    that of the first convolution; the others have 3, 6, 4 and 16 times as many channels.
    """

    width: int = 64

    @nn.compact
    def __call__(self, x: Images, train: bool = False, mask: Mask | None = None) -> Logits:
        """Maps images to logits."""
        del train, mask
        x = max_pool(self._conv_relu(x, 1, 11, "conv1", stride=4))
        x = max_pool(self._conv_relu(x, 3, 5, "conv3"))
        x = self._conv_relu(x, 6, 3, "conv5")
        x = self._conv_relu(x, 4, 3, "conv6")
        x = max_pool(self._conv_relu(x, 16, 3, "conv7"))
        return self.logits(x.reshape(x.shape[0], -1), "linear9")

    def _conv_relu(self, x, multiple, size, name, stride=1):
        return self.record(nn.relu(self.conv(x, multiple * self.width, size, name, stride=stride)), name)
