import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.models.pooling import max_pool


def test_values_and_gradients_behind_a_relu_are_those_of_flax():
    # Odd extents lose a row and a column. Half of the pixels are zero after the ReLU, so that many of four are equal.
    x = jax.random.normal(jax.random.key(1), (3, 7, 5, 4))
    weights = jax.random.normal(jax.random.key(2), (3, 3, 2, 4))
    ours, theirs = (
        jax.jit(jax.vjp, static_argnums=0)(lambda x, f=f: f(nn.relu(x)), x)
        for f in (max_pool, lambda x: nn.max_pool(x, (2, 2), (2, 2)))
    )
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1](weights)[0], theirs[1](weights)[0])


def test_equal_pixels_share_the_gradient_and_nan_is_not_hidden():
    gradient = jax.grad(lambda x: max_pool(x).sum())(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient, jnp.full((1, 2, 2, 1), 0.25))
    assert jnp.isnan(max_pool(jnp.zeros((1, 2, 2, 1)).at[0, 1, 1, 0].set(jnp.nan))).all()


def test_flax_still_has_the_gradient_that_is_slow_on_a_cpu():
    texts = (
        jax.jit(jax.grad(lambda x, f=f: f(x).sum())).lower(jnp.ones((1, 2, 2, 1))).as_text()
        for f in (lambda x: nn.max_pool(x, (2, 2), (2, 2)), max_pool)
    )
    assert ["select_and_scatter" in text for text in texts] == [True, False]
