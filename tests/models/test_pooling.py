import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.models.pooling import max_pool


def by_flax(x):
    return nn.max_pool(x, (2, 2), (2, 2))


@functools.partial(jax.jit, static_argnums=0)
def pooled_and_gradient(function, x, weights):
    value, pull = jax.vjp(function, x)
    return value, pull(weights)[0]


def test_values_and_gradients_behind_a_relu_are_those_of_flax():
    # Odd extents lose a row and a column. Half of the pixels are zero after the ReLU, so that many of four are equal.
    rng = np.random.default_rng(1)
    x, weights = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 7, 5, 4), (3, 3, 2, 4)))
    ours, theirs = (pooled_and_gradient(lambda x, f=f: f(nn.relu(x)), x, weights) for f in (max_pool, by_flax))
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_equal_pixels_share_the_gradient_and_nan_is_not_hidden():
    x = np.ones((2, 2, 2, 1), np.float32)
    x[1, 1, 1, 0] = np.nan
    value, gradient = pooled_and_gradient(max_pool, x, np.ones((2, 1, 1, 1), np.float32))
    np.testing.assert_array_equal(gradient[0], np.full((2, 2, 1), 0.25))
    assert np.isnan(value[1]).all()


def test_flax_still_has_the_gradient_that_is_slow_on_a_cpu():
    x, weights = jnp.ones((2, 2, 2, 1)), jnp.ones((2, 1, 1, 1))
    texts = [pooled_and_gradient.lower(function, x, weights).as_text() for function in (by_flax, max_pool)]
    assert ["select_and_scatter" in text for text in texts] == [True, False]
