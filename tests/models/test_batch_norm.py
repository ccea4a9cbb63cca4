import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.models.batch_norm import EPSILON, MOMENTUM, BatchNorm

NUM, PADDED = 11, 32
# On 8 devices of 4: two devices full, one with three examples, five with none.
MASK = (np.arange(PADDED) < NUM).astype(np.float32)
VARIABLES = {
    "params": {"scale": np.linspace(0.5, 1.5, 5), "bias": np.zeros(5)},
    "batch_stats": {"mean": np.zeros(5), "var": np.ones(5)},
}


@pytest.fixture
def x(x64):
    return jnp.asarray(np.random.default_rng(0).normal(2, 3, (NUM, 3, 4, 5)))


def pad(x, value):
    return jnp.concatenate([x, jnp.full((PADDED - NUM, *x.shape[1:]), value, x.dtype)])


@functools.partial(jax.jit, static_argnames=("apply", "num_devices"))
def measure(apply, x, weights, mask, num_devices):
    """Gradients, outputs and statistics as under pmap: one axis named "data", each device with a slice of the batch."""

    def loss(params, x):
        def one(x, mask):
            return apply(VARIABLES | {"params": params}, x, mask)

        slices = [array.reshape(num_devices, -1, *array.shape[1:]) for array in (x, mask)]
        out, state = jax.vmap(one, axis_name="data")(*slices)
        out = out.reshape(x.shape)
        return jnp.sum(jnp.sin(out) * weights), (out, state["batch_stats"])

    return jax.grad(loss, (0, 1), has_aux=True)(VARIABLES["params"], x)


def ours(variables, x, mask):
    return BatchNorm(dtype=x.dtype, axis_name="data").apply(variables, x, True, mask, mutable=["batch_stats"])


def linen(variables, x, mask):
    twin = nn.BatchNorm(False, axis_name="data", momentum=MOMENTUM, epsilon=EPSILON, dtype=x.dtype, param_dtype=x.dtype)
    return twin.apply(variables, x, mask=mask[:, None, None, None] > 0, mutable=["batch_stats"])


def test_equals_linen_and_depends_on_neither_padding_nor_devices(x):
    weights = jnp.asarray(np.random.default_rng(2).normal(size=x.shape))
    (params, of_x), (out, stats) = measure(linen, x, weights, np.ones(NUM, np.float32), 1)
    for num_devices in (1, 8):
        # Padding with values that would spoil any statistic.
        found = measure(ours, pad(x, 1e3), pad(weights, 0.0), MASK, num_devices)
        jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-9), found[0][0], params)
        np.testing.assert_allclose(found[0][1], pad(of_x, 0.0), atol=1e-9)
        np.testing.assert_allclose(found[1][0][:NUM], out, atol=1e-9)
        # Every device holds the same statistics.
        expected = {name: np.broadcast_to(value, (num_devices, 5)) for name, value in stats.items()}
        jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-9), found[1][1], expected)
    # Flax still has the defect that this module is for.
    _, (out, _) = measure(linen, pad(x, 1e3), pad(x, 0.0), MASK, 8)
    assert jnp.isnan(out).any()


def test_without_a_mask_and_an_axis_all_examples_count_and_evaluation_uses_running_statistics(x):
    module = BatchNorm(dtype=x.dtype)
    assert jax.tree.structure(module.init(jax.random.key(1), x, False)) == jax.tree.structure(VARIABLES)
    out, state = module.apply(VARIABLES, x, True, mutable=["batch_stats"])
    numbers = np.asarray(x)
    mean, var = numbers.mean((0, 1, 2)), numbers.var((0, 1, 2))
    scale, bias = VARIABLES["params"].values()
    np.testing.assert_allclose(out, (numbers - mean) / np.sqrt(var + EPSILON) * scale + bias, atol=1e-12)
    np.testing.assert_allclose(state["batch_stats"]["mean"], (1 - MOMENTUM) * mean, atol=1e-12)
    stats = {"mean": jnp.arange(5.0), "var": jnp.arange(1.0, 6.0)}
    out = BatchNorm(dtype=x.dtype, axis_name="data").apply(VARIABLES | {"batch_stats": stats}, x, False)
    expected = (numbers - np.arange(5)) / np.sqrt(np.arange(1, 6) + EPSILON) * scale + bias
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_half_precision_keeps_statistics_wide():
    x = jnp.asarray(np.random.default_rng(0).normal(100, 1, (64, 8, 8, 4)), jnp.bfloat16)
    module = BatchNorm(dtype=jnp.bfloat16)
    variables = module.init(jax.random.key(1), x, False)
    out, state = module.apply(variables, x, True, mutable=["batch_stats"])
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, state))} == {jnp.dtype(jnp.float32)}
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(state["batch_stats"]["mean"], (1 - MOMENTUM) * exact.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(state["batch_stats"]["var"], MOMENTUM + (1 - MOMENTUM) * exact.var((0, 1, 2)), rtol=1e-2)
