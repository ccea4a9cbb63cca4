import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax import models
from memorize_jax.models.dropout import Dropout


def drop(x, num_devices, seed=0, rate=0.5):
    return on_devices(Dropout(rate, axis_name="data"), x, num_devices, seed, True)


@functools.partial(jax.jit, static_argnums=(0, 2, 3, 4))
def on_devices(module, x, num_devices, seed, *arguments):
    def one(x):
        return module.apply({}, x, *arguments, rngs={"dropout": jax.random.key(seed)})

    return jax.vmap(one, axis_name="data")(x.reshape(num_devices, -1, *x.shape[1:])).reshape(x.shape)


def test_does_not_depend_on_devices_or_padding():
    x = jnp.ones((16, 30))
    expected = drop(x, 1)
    np.testing.assert_array_equal(drop(x, 8), expected)
    np.testing.assert_array_equal(drop(jnp.ones((24, 30)), 8)[:16], expected)
    np.testing.assert_array_equal(on_devices(Dropout(0.5), x, 1, 0, True), expected)
    # Flax still has the defect that this module is for.
    twin = nn.Dropout(0.5, deterministic=False)
    assert (on_devices(twin, x, 8, 0) != on_devices(twin, x, 1, 0)).any()


def test_statistics():
    out = np.asarray(drop(jnp.ones((400, 100)), 4, rate=0.2))
    assert set(np.unique(out)) == {0, np.float32(1 / 0.8)}
    # 40,000 draws: four standard deviations are 0.008.
    assert abs((out == 0).mean() - 0.2) < 0.008
    # Rows are independent: the agreement of two is 0.8^2 + 0.2^2.
    kept = out > 0
    assert abs((kept[:-1] == kept[1:]).mean() - 0.68) < 0.015


def test_key_matters_and_evaluation_is_the_identity_as_is_the_rate_0_of_a_network():
    x = jnp.ones((16, 30))
    assert (drop(x, 8, seed=0) != drop(x, 8, seed=1)).any()
    assert (Dropout(0.5, axis_name="data").apply({}, x, False) == x).all()
    assert (Dropout(0.0).apply({}, x, True) == x).all()
    assert models.create("vgg16", num_classes=10).dropout == 0.5
    assert models.create("vgg16", num_classes=10, dropout=0.0).dropout == 0
    assert models.create("resnet18", num_classes=10, dropout=0.0) == models.create("resnet18", num_classes=10)
