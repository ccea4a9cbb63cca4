import jax
from flax import nnx

from tests.taps.fill import fill


class MLP(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(5, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)])
        self.head = nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = jax.nn.relu(layer(x))
        return self.head(x)


class Block(nnx.Module):
    """Its convolution is called twice."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 3, (3, 3), use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)

    def __call__(self, x):
        y = jax.nn.relu(self.norm(self.conv(x)))
        return jax.nn.relu(x + self.conv(y))


class ResNet(nnx.Module):
    def __init__(self, rngs):
        self.stem = nnx.Conv(3, 3, (3, 3), rngs=rngs)
        self.blocks = nnx.List([Block(rngs), Block(rngs)])
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        self.sow(nnx.Intermediate, "map_mean", x.mean((1, 2)))
        return self.head(self.dropout(x.mean((1, 2))))


def mlp():
    return filled(lambda: MLP(nnx.Rngs(0)))


def resnet():
    return filled(lambda: ResNet(nnx.Rngs(1)))


def filled(build):
    graphdef, state = nnx.split(nnx.eval_shape(build))
    return nnx.merge(graphdef, fill(state))
