import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import models
from memorize_jax.models.initializers import INITS
from memorize_jax.models.network import Network


class Conv(Network):
    """One convolution of 3 x 3 kernels from 24 to 48 channels: 10,368 weights."""

    width: int = 48

    @nn.compact
    def __call__(self, x):
        return self.conv(x, self.width, 3, "conv")


FAN_IN, FAN_OUT = 9 * 24, 9 * 48


def drawn(initialization):
    module = Conv(num_classes=1, initialization=initialization)
    return module.init(jax.random.key(0), jnp.zeros((1, 4, 4, 24)))["params"]["conv"]


def test_lecun():
    layer = drawn("lecun")
    assert abs(np.std(layer["kernel"]) * FAN_IN**0.5 - 1) < 0.03
    assert (layer["bias"] == 0).all()


def test_glorot():
    layer = drawn("glorot")
    limit = (6 / (FAN_IN + FAN_OUT)) ** 0.5
    assert 0.99 * limit < np.abs(layer["kernel"]).max() <= limit
    assert abs(np.std(layer["kernel"]) / limit - 3**-0.5) < 0.02
    assert (layer["bias"] == 0).all()


def test_torch():
    layer, limit = drawn("torch"), FAN_IN**-0.5
    assert 0.99 * limit < np.abs(layer["kernel"]).max() <= limit
    assert abs(np.std(layer["kernel"]) / limit - 3**-0.5) < 0.02
    assert 0.8 * limit < np.abs(layer["bias"]).max() <= limit


@pytest.mark.parametrize("init", INITS)
def test_create_hands_the_choice_to_the_layers(init):
    assert models.create("vgg16", num_classes=3, init=init).initialization == init


@pytest.mark.parametrize("width", [8, 16])
def test_default_is_that_of_flax(width):
    class Twin(nn.Module):
        @nn.compact
        def __call__(self, x):
            for number in range(1, 6):
                x = nn.relu(nn.Dense(width, name=f"linear{number}")(x))
            return nn.Dense(3, name="linear6")(x)

    x = jnp.ones((1, 5))
    expected = Twin().init(jax.random.key(4), x)
    got = models.create("mlp", num_classes=3, width=width).init(jax.random.key(4), x)
    jax.tree.map(np.testing.assert_array_equal, got, expected)
