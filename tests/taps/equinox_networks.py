import equinox as eqx
import jax

from tests.taps.fill import fill

KEYS = jax.random.split(jax.random.key(2), 5)


class Block(eqx.Module):
    """Its convolution is called twice."""

    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm

    def __init__(self, key):
        self.conv = eqx.nn.Conv2d(3, 3, 3, padding=1, key=key)
        self.norm = eqx.nn.BatchNorm(3, "batch", mode="batch")

    def __call__(self, x, state):
        y, state = self.norm(self.conv(x), state)
        return jax.nn.relu(x + self.conv(jax.nn.relu(y))), state


class ResNet(eqx.Module):
    stem: eqx.nn.Conv2d
    blocks: list
    head: eqx.nn.Linear

    def __init__(self):
        self.stem = eqx.nn.Conv2d(3, 3, 3, padding=1, key=KEYS[0])
        self.blocks = [Block(KEYS[1]), Block(KEYS[2])]
        self.head = eqx.nn.Linear(3, 2, key=KEYS[3])

    def __call__(self, x, state):
        x = jax.nn.relu(self.stem(x))
        for block in self.blocks:
            x, state = block(x, state)
        return self.head(x.mean((1, 2))), state


def mlp():
    def build():
        first, second, third = KEYS[:3]
        relu = eqx.nn.Lambda(jax.nn.relu)
        layers = [eqx.nn.Linear(5, 4, key=first), relu, eqx.nn.Linear(4, 3, key=second), relu]
        return eqx.nn.Sequential([*layers, eqx.nn.Linear(3, 2, key=third)])

    return fill(eqx.filter_eval_shape(build))


def resnet():
    return fill(eqx.filter_eval_shape(eqx.nn.make_with_state(ResNet)))
