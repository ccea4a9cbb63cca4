import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import models
from memorize_jax.models.network import Network


class Conv(Network):
    """One convolution of 3 x 3 kernels from 24 to 48 channels: 10,368 weights."""

    width: int = 48

    @nn.compact
    def __call__(self, x):
        return self.conv(x, self.width, 3, "conv")


FAN_IN, FAN_OUT = 9 * 24, 9 * 48


@pytest.mark.parametrize(
    ("init", "limit", "bias_limit"),
    [("lecun", None, 0), ("glorot", (6 / (FAN_IN + FAN_OUT)) ** 0.5, 0), ("torch", FAN_IN**-0.5, FAN_IN**-0.5)],
)
def test_kernels_and_biases_have_the_stated_distribution(init, limit, bias_limit):
    assert models.create("vgg16", num_classes=3, init=init).initialization == init
    layer = Conv(num_classes=1, initialization=init).init(jax.random.key(0), jnp.zeros((1, 3, 3, 24)))["params"]["conv"]
    if limit is None:
        assert abs(np.std(layer["kernel"]) * FAN_IN**0.5 - 1) < 0.03
    else:
        assert 0.99 * limit < np.abs(layer["kernel"]).max() <= limit
        assert abs(np.std(layer["kernel"]) / limit - 3**-0.5) < 0.02
    assert 0.8 * bias_limit <= np.abs(layer["bias"]).max() <= bias_limit


def test_default_is_that_of_flax():
    class Twin(nn.Module):
        @nn.compact
        def __call__(self, x):
            for number in range(1, 6):
                x = nn.relu(nn.Dense(7, name=f"linear{number}")(x))
            return nn.Dense(3, name="linear6")(x)

    x = jnp.ones((1, 12))
    expected = Twin().init(jax.random.key(4), x)
    got = models.create("mlp", num_classes=3, width=7).init(jax.random.key(4), x)
    jax.tree.map(np.testing.assert_array_equal, got, expected)
