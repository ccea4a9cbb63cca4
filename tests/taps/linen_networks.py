import flax.linen as nn
import jax
import jax.numpy as jnp

from tests.taps.fill import fill


class MLP(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(4)(x))
        x = nn.relu(nn.Dense(3)(x))
        return nn.Dense(2)(x)


class Block(nn.Module):
    """Its convolution is called twice."""

    @nn.compact
    def __call__(self, x, train):
        conv = nn.Conv(3, (3, 3), use_bias=False, name="conv")
        y = nn.relu(nn.BatchNorm(use_running_average=not train, name="norm")(conv(x)))
        return nn.relu(x + conv(y))


class ResNet(nn.Module):
    @nn.compact
    def __call__(self, x, train=True):
        x = nn.relu(nn.Conv(3, (3, 3), name="stem")(x))
        for index in range(2):
            x = Block(name=f"block_{index}")(x, train)
        self.sow("intermediates", "map_mean", x.mean((1, 2)))
        x = nn.Dropout(0.5, deterministic=not train)(x.mean((1, 2)))
        return nn.Dense(2, name="head")(x)


def mlp():
    return MLP(), fill(jax.eval_shape(MLP().init, jax.random.key(0), jnp.ones((1, 5))))


def resnet():
    init = lambda key: ResNet().init(key, jnp.ones((1, 4, 4, 3)), train=False)
    return ResNet(), fill(jax.eval_shape(init, jax.random.key(1)))
