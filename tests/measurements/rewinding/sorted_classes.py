"""Images that are stored class by class, each class of its own brightness, and a small network with BatchNorm."""

import flax.linen as nn
import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import Split, Splits
from memorize_jax.models import Entry
from memorize_jax.models.batch_norm import BatchNorm
from memorize_jax.models.layers import AFTER_BATCH_NORM, LOGITS, layer
from memorize_jax.models.network import Network

CLASSES, EACH = 4, 40


def load(data_dir=None):
    rng = np.random.default_rng(0)

    def split(each):
        labels = np.repeat(np.arange(CLASSES), each)
        images = 60 + 40 * labels[:, None, None, None] + rng.normal(0, 10, (len(labels), 4, 4, 1))
        return Split(np.clip(images, 0, 255).astype(np.uint8), labels.astype(np.int32), CLASSES, "sorted")

    return Splits(split(EACH), split(10))


class Net(Network):
    width: int = 16

    @nn.compact
    def __call__(self, x, train=False, mask=None):
        x = self.linear(x.reshape(x.shape[0], -1), self.width, "linear1", bias=False)
        x = BatchNorm(dtype=self.dtype, axis_name=self.axis_name, name="linear1_bn")(x, train, mask)
        return self.logits(self.record(nn.relu(x), "linear1"), "linear2")


NETWORK = Entry(Net, (layer("linear", 1, AFTER_BATCH_NORM), layer("linear", 2, LOGITS)))
CONFIG = RunConfig(
    dataset=f"{__name__}:load",
    model=f"{__name__}:NETWORK",
    permuted_fraction=0.0,
    epochs=8,
    stop_accuracy=1.0,
    batch_size=40,
    learning_rate=3e-2,
)
