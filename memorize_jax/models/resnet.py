"""The paper's ResNet18, for images of 32 x 32 (table 4) and of 64 x 64 (table 5)."""

from typing import NamedTuple

import flax.linen as nn

from memorize_jax.models.layers import AFTER_ADDITION, AFTER_BATCH_NORM, LOGITS, Layer, layer
from memorize_jax.models.network import Images, Logits, Mask, Network


class Block(NamedTuple):
    """A residual block: rows in table 4 of its convolutions, channels in units of the width.

    `skip` is the 1 x 1 convolution on the skip connection, None if that is the identity; a block with one halves
    height and width.
    """

    first: int
    second: int
    skip: int | None
    multiple: int


BLOCKS = (
    Block(2, 3, None, 1),
    Block(4, 5, None, 1),
    Block(6, 7, 8, 2),
    Block(9, 10, None, 2),
    Block(11, 12, 13, 4),
    Block(14, 15, None, 4),
    Block(16, 17, 18, 8),
    Block(19, 20, None, 8),
)
LINEAR = 22


def _layers(shift) -> tuple[Layer, ...]:
    convs = [layer("conv", 1, AFTER_BATCH_NORM)]
    for block in BLOCKS:
        convs.append(layer("conv", block.first + shift, AFTER_BATCH_NORM))
        skip = None if block.skip is None else f"conv{block.skip + shift}"
        convs.append(layer("conv", block.second + shift, AFTER_ADDITION, skip=skip))
    return (*convs, layer("linear", LINEAR + shift, LOGITS))


LAYERS = _layers(0)
# Table 5 has a pooling in row 2, so every later row is one further down.
LAYERS_TINY = _layers(1)


class ResNet18(Network):
    """A first convolution, eight residual blocks, global average pooling, a linear layer.

    Convolutions on skip connections have parameters but are not analyzed, as in the paper; they belong to the
    group of the layer they are added to.

    Attributes:
      width: k of the paper's section 3.3; the stages have k, 2k, 4k and 8k channels.
      large_images: start as in table 5 with a 7 x 7 convolution (stride 2, as for ImageNet; the table prints none)
        and a 3 x 3 pooling rather than with a 3 x 3 convolution.
    """

    width: int = 64
    large_images: bool = False

    @nn.compact
    def __call__(self, x: Images, train: bool = False, mask: Mask | None = None) -> Logits:
        """Maps images to logits."""
        size, stride = (7, 2) if self.large_images else (3, 1)
        x = self.record(nn.relu(self.conv_norm(x, self.width, size, "conv1", train, mask, stride)), "conv1")
        if self.large_images:
            padding = ((1, 1), (1, 1))
            x = nn.max_pool(x, (3, 3), (2, 2), padding)  # pyright: ignore[reportArgumentType] (flax says str alone)
        for block in BLOCKS:
            x = self._block(x, block, train, mask)
        return self.logits(x.mean((1, 2)), self._name("linear", LINEAR))

    def _name(self, kind, row):
        return f"{kind}{row + self.large_images}"

    def _block(self, x, block, train, mask):
        features, stride = block.multiple * self.width, 1 if block.skip is None else 2
        first, second = self._name("conv", block.first), self._name("conv", block.second)
        y = self.record(nn.relu(self.conv_norm(x, features, 3, first, train, mask, stride)), first)
        y = self.conv_norm(y, features, 3, second, train, mask)
        if block.skip is not None:
            x = self.conv_norm(x, features, 1, self._name("conv", block.skip), train, mask, stride)
        return self.record(nn.relu(x + y), second)
