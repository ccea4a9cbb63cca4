"""Maxima of 2 x 2 pixels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.models.pooling import max_pool


def _by_flax(x):
    return nn.max_pool(x, (2, 2), (2, 2))


@pytest.mark.parametrize("extents", [(2, 2), (4, 6), (7, 5), (3, 2)])
def test_pools_as_flax_does(extents):
    x = jax.random.normal(jax.random.key(0), (3, *extents, 4))
    np.testing.assert_array_equal(max_pool(x), _by_flax(x))


@pytest.mark.parametrize("extents", [(2, 2), (4, 6), (7, 5)])
def test_gradient_behind_a_relu_is_that_of_flax(extents):
    # Half of the pixels are zero after the ReLU, so that many of four are equal.
    x = jax.random.normal(jax.random.key(1), (5, *extents, 4))
    weights = jax.random.normal(jax.random.key(2), _by_flax(x).shape)
    ours, theirs = (jax.grad(lambda x, f=f: jnp.sum(weights * f(nn.relu(x))))(x) for f in (max_pool, _by_flax))
    np.testing.assert_array_equal(ours, theirs)


def test_equal_pixels_share_the_gradient():
    gradient = jax.grad(lambda x: max_pool(x).sum())(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient, jnp.full((1, 2, 2, 1), 0.25))


def test_nan_is_not_hidden():
    x = jnp.zeros((1, 2, 2, 1)).at[0, 1, 1, 0].set(jnp.nan)
    assert jnp.isnan(max_pool(x)).all()
