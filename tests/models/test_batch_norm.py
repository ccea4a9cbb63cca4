import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.models.batch_norm import EPSILON, MOMENTUM, BatchNorm

SHAPE = (11, 3, 4, 5)


@pytest.fixture
def x(x64):
    return 2 + 3 * jax.random.normal(jax.random.key(0), SHAPE, jnp.float64)


def init(x, **options):
    return BatchNorm(dtype=x.dtype, **options).init(jax.random.key(1), x, False)


def pad(x, size):
    """Padding with values that would spoil any statistic, and the mask."""
    mask = np.arange(size) < len(x)
    return jnp.concatenate([x, jnp.full((size - len(x), *x.shape[1:]), 1e3, x.dtype)]), jnp.asarray(mask, jnp.float32)


def on_devices(module, variables, x, mask, num_devices):
    """Runs the module as under pmap: one axis named "data", each device with a slice of the batch."""

    def one(x, mask):
        return module.apply(variables, x, True, mask, mutable=["batch_stats"])

    out, state = jax.vmap(one, axis_name="data")(
        x.reshape(num_devices, -1, *x.shape[1:]), mask.reshape(num_devices, -1)
    )
    return out.reshape(x.shape), state["batch_stats"]


def test_equals_linen(x):
    twin = nn.BatchNorm(momentum=MOMENTUM, epsilon=EPSILON, dtype=x.dtype, param_dtype=x.dtype)
    expected, state = twin.apply(init(x), x, use_running_average=False, mutable=["batch_stats"])
    out, own = BatchNorm(dtype=x.dtype).apply(init(x), x, True, mutable=["batch_stats"])
    np.testing.assert_allclose(out, expected, atol=1e-12)
    assert jax.tree.structure(state) == jax.tree.structure(own)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), own, state)


def test_evaluation_uses_running_statistics(x):
    variables = {
        "params": {"scale": jnp.full(5, 2.0), "bias": jnp.full(5, 0.5)},
        "batch_stats": {"mean": jnp.arange(5.0), "var": jnp.arange(1.0, 6.0)},
    }
    out = BatchNorm(dtype=x.dtype, axis_name="data").apply(variables, x, False)
    expected = (np.asarray(x) - np.arange(5)) / np.sqrt(np.arange(1, 6) + EPSILON) * 2 + 0.5
    np.testing.assert_allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize("num_devices", [1, 2, 8])
def test_masked_statistics_are_those_of_the_unpadded_batch(x, num_devices):
    # 11 examples on 8 devices of 4: two devices full, one with three examples, five with none.
    padded, mask = pad(x, 32)
    expected, state = BatchNorm(dtype=x.dtype).apply(init(x), x, True, mutable=["batch_stats"])
    module = BatchNorm(dtype=x.dtype, axis_name="data")
    out, own = on_devices(module, init(x), padded, mask, num_devices)
    np.testing.assert_allclose(out[: len(x)], expected, atol=1e-9)
    for name, value in state["batch_stats"].items():
        # Every device holds the same statistics.
        np.testing.assert_allclose(own[name], np.broadcast_to(value, (num_devices, 5)), atol=1e-9)


def test_gradient_does_not_depend_on_padding_or_devices(x):
    padded, mask = pad(x, 32)
    weights = jax.random.normal(jax.random.key(2), padded.shape, x.dtype) * mask[:, None, None, None]
    params = {"scale": jnp.linspace(0.5, 1.5, 5), "bias": jnp.zeros(5)}
    stats = init(x)["batch_stats"]

    def loss(params, x, num_devices, mask, weights):
        module = BatchNorm(dtype=x.dtype, axis_name="data")
        out, _ = on_devices(module, {"params": params, "batch_stats": stats}, x, mask, num_devices)
        return jnp.sum(jnp.sin(out) * weights)

    expected = jax.grad(loss, (0, 1))(params, x, 1, jnp.ones(len(x)), weights[: len(x)])
    got = jax.grad(loss, (0, 1))(params, padded, 8, mask, weights)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-9), got[0], expected[0])
    np.testing.assert_allclose(got[1][: len(x)], expected[1], atol=1e-9)
    assert (got[1][len(x) :] == 0).all()


def test_linen_still_has_the_defect_this_module_is_for(x):
    padded, mask = pad(x, 32)
    twin = nn.BatchNorm(use_running_average=False, axis_name="data", dtype=x.dtype, param_dtype=x.dtype)

    def one(x, mask):
        return twin.apply(init(x), x, mask=mask[:, None, None, None], mutable=["batch_stats"])

    out, _ = jax.vmap(one, axis_name="data")(padded.reshape(8, 4, *x.shape[1:]), mask.reshape(8, 4))
    assert jnp.isnan(out).any()


def test_half_precision_keeps_statistics_wide():
    x = (100 + jax.random.normal(jax.random.key(0), (64, 8, 8, 4))).astype(jnp.bfloat16)
    module = BatchNorm(dtype=jnp.bfloat16)
    variables = module.init(jax.random.key(1), x, False)
    out, state = module.apply(variables, x, True, mutable=["batch_stats"])
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, state))} == {jnp.dtype(jnp.float32)}
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(state["batch_stats"]["mean"], (1 - MOMENTUM) * exact.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(state["batch_stats"]["var"], MOMENTUM + (1 - MOMENTUM) * exact.var((0, 1, 2)), rtol=1e-2)
