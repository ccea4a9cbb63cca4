"""The paper's ResNet18, for images of 32 x 32 (table 4) and of 64 x 64 (table 5)."""

import flax.linen as nn

from memorize_jax.models.layers import AFTER_ADDITION, AFTER_BATCH_NORM, LOGITS, Layer, layer
from memorize_jax.models.network import Images, Logits, Mask, Network

# Rows in table 4 of a block's two convolutions and of the 1 x 1 convolution on its skip connection, channels in units
# of the width. Where the skip connection is the identity there is None; other blocks halve height and width.
BLOCKS = (
    (2, 3, None, 1),
    (4, 5, None, 1),
    (6, 7, 8, 2),
    (9, 10, None, 2),
    (11, 12, 13, 4),
    (14, 15, None, 4),
    (16, 17, 18, 8),
    (19, 20, None, 8),
)
LINEAR = 22


def _layers(shift) -> tuple[Layer, ...]:
    convs = [layer("conv", 1, AFTER_BATCH_NORM)]
    for first, second, skip, _ in BLOCKS:
        convs.append(layer("conv", first + shift, AFTER_BATCH_NORM))
        name = None if skip is None else f"conv{skip + shift}"
        convs.append(layer("conv", second + shift, AFTER_ADDITION, skip=name))
    return (*convs, layer("linear", LINEAR + shift, LOGITS))


LAYERS = _layers(0)
# Table 5 has a pooling in row 2, so every later row is one further down.
LAYERS_TINY = _layers(1)


class ResNet18(Network):
    """A first convolution, eight residual blocks, global average pooling, a linear layer.

    Convolutions on skip connections have parameters but are not analyzed, as in the paper; they belong to the
    group of the layer they are added to. The width is k of section 3.3. For large images it starts as in table 5 with
    a 7 x 7 convolution (stride 2, as for ImageNet; the table prints none) and a 3 x 3 pooling.
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
        for *rows, multiple in BLOCKS:
            first, second, skip = (row and self._name("conv", row) for row in rows)
            x = self._block(x, first, second, skip, multiple * self.width, train, mask)
        return self.logits(x.mean((1, 2)), self._name("linear", LINEAR))

    def _name(self, kind, row):
        return f"{kind}{row + self.large_images}"

    def _block(self, x, first, second, skip, features, train, mask):
        stride = 2 if skip else 1
        y = self.record(nn.relu(self.conv_norm(x, features, 3, first, train, mask, stride)), first)
        y = self.conv_norm(y, features, 3, second, train, mask)
        if skip:
            x = self.conv_norm(x, features, 1, skip, train, mask, stride)
        return self.record(nn.relu(x + y), second)
