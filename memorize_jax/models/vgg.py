"""The paper's VGG16 with BatchNorm for images of 32 x 32 (table 3)."""

import flax.linen as nn

from memorize_jax.models.dropout import Dropout
from memorize_jax.models.layers import AFTER_BATCH_NORM, AFTER_RELU, LOGITS, layer
from memorize_jax.models.network import Images, Logits, Mask, Network
from memorize_jax.models.pooling import max_pool

# Row of the table -> channels in units of the width. The rows left out, after each stage, are the poolings.
CONVS = {1: 1, 2: 1, 4: 2, 5: 2, 7: 4, 8: 4, 9: 4, 11: 8, 12: 8, 13: 8, 15: 8, 16: 8, 17: 8}
LINEARS = (19, 20)
LAYERS = (
    *(layer("conv", number, AFTER_BATCH_NORM) for number in CONVS),
    *(layer("linear", number, AFTER_RELU) for number in LINEARS),
    layer("linear", 21, LOGITS),
)
# Five poolings halve height and width.
SMALLEST_IMAGE = 32
DROPOUT = 0.5


class VGG16(Network):
    """Thirteen 3 x 3 convolutions with BatchNorm and ReLU, five poolings, three linear layers, two with dropout.

    The width is that of the first stage; hidden linear layers have 64 times as many units. Dropout follows their ReLU:
    its default is PyTorch's, as the table names none; 0 is the "no regularization" of the paper's section 3. It
    needs rngs={"dropout": key} in training.
    """

    width: int = 64
    dropout: float = DROPOUT

    @nn.compact
    def __call__(self, x: Images, train: bool = False, mask: Mask | None = None) -> Logits:
        """Maps images to logits."""
        for number, multiple in CONVS.items():
            name = f"conv{number}"
            x = self.record(nn.relu(self.conv_norm(x, multiple * self.width, 3, name, train, mask)), name)
            if number + 1 not in CONVS:
                x = max_pool(x)
        x = x.reshape(x.shape[0], -1)
        for number in LINEARS:
            name = f"linear{number}"
            x = self.record(nn.relu(self.linear(x, 64 * self.width, name)), name)
            x = Dropout(self.dropout, axis_name=self.axis_name, name=f"{name}_dropout")(x, train)
        return self.logits(x, LAYERS[-1].name)
