import haiku as hk
import jax
import jax.numpy as jnp

from tests.taps.fill import fill


def mlp_forward(x):
    return hk.nets.MLP([4, 3, 2])(x)


class Block(hk.Module):
    """Its convolution is called twice."""

    def __call__(self, x, train):
        conv = hk.Conv2D(3, 3, with_bias=False, name="conv")
        y = jax.nn.relu(hk.BatchNorm(True, True, 0.9, name="norm")(conv(x), train))
        return jax.nn.relu(x + conv(y))


def resnet_forward(x, train=True):
    x = jax.nn.relu(hk.Conv2D(3, 3, name="stem")(x))
    for index in range(2):
        x = Block(name=f"block_{index}")(x, train)
    return hk.Linear(2, name="head")(x.mean((1, 2)))


def mlp():
    network = hk.transform(mlp_forward)
    return network, fill(jax.eval_shape(network.init, jax.random.key(0), jnp.ones((1, 5))))


def resnet():
    network = hk.transform_with_state(resnet_forward)
    return network, *fill(jax.eval_shape(network.init, jax.random.key(1), jnp.ones((2, 4, 4, 3))))
