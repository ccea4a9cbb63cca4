"""Networks and data of a few numbers: dense layers, and convolutions with BatchNorm on a skip connection too."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.data import ChannelStatistics
from memorize_jax.models.layers import AFTER_ADDITION, AFTER_RELU, LOGITS, layer
from memorize_jax.models.network import Network

# Inputs as they are.
AS_THEY_ARE = ChannelStatistics(np.zeros(1, np.float32), np.ones(1, np.float32))
DENSE_LAYERS = (layer("linear", 1, AFTER_RELU), layer("linear", 2, AFTER_RELU), layer("linear", 3, LOGITS))
CONV_LAYERS = (
    layer("conv", 1, AFTER_RELU),
    layer("conv", 2, AFTER_ADDITION, skip="conv3"),
    layer("linear", 4, LOGITS),
)


class Dense(Network):
    width: int = 5
    num_classes: int = 3

    @nn.compact
    def __call__(self, x, train=False, mask=None):
        x = x.reshape(x.shape[0], -1)
        for name in ("linear1", "linear2"):
            x = self.record(nn.relu(self.linear(x, self.width, name)), name)
        return self.logits(x, "linear3")


class Convolutional(Network):
    width: int = 2
    num_classes: int = 3

    @nn.compact
    def __call__(self, x, train=False, mask=None):
        x = self.record(nn.relu(self.conv_norm(x, self.width, 3, "conv1", train, mask)), "conv1")
        y = self.conv_norm(x, self.width, 3, "conv2", train, mask)
        x = self.conv_norm(x, self.width, 1, "conv3", train, mask)
        x = self.record(nn.relu(x + y), "conv2")
        return self.logits(x.reshape(x.shape[0], -1), "linear4")


def drawn(model, shape, seed=0):
    """Random variables of a network, with running statistics that are none of a fresh one, without compiling it."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *shape)))
    rng = np.random.default_rng(seed)
    filled = jax.tree.map(lambda leaf: rng.normal(0.3, 1, leaf.shape).astype(np.float32), dict(shapes))
    stats = jax.tree.map(np.abs, filled.get("batch_stats", {}))
    return {"params": filled["params"], "batch_stats": stats}


def inputs(num, shape, seed=1):
    """Random inputs."""
    return np.random.default_rng(seed).normal(size=(num, *shape)).astype(np.float32)
