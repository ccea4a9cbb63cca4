import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memorize_jax import data, models
from memorize_jax.recipe import cross_entropy, make_optimizer
from memorize_jax.training.build import step_keys
from memorize_jax.training.devices import split_batches
from memorize_jax.training.state import create_state
from memorize_jax.training.step import make_predict_step, make_train_step
from tests.eight_devices import adam_steps_in_float64

KEYS = step_keys(0)
STATISTICS = data.ChannelStatistics(np.array([3.0], np.float32), np.array([2.0], np.float32))


def float64_problem(num=11):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(num, 6))
    labels = rng.integers(0, 3, num)
    model = models.create("mlp", num_classes=3, width=5, dtype=jnp.float64)
    tx = make_optimizer("adam", 1e-2)
    return images, labels, model, tx, create_state(model, jnp.asarray(images[:1]), seed=0, tx=tx)


def pmapped(step):
    return jax.pmap(step, axis_name="data", in_axes=(None, None, None, None, 0), out_axes=None)


def step_by_hand(images, labels, model, tx, state):
    """One step of optax on the mean loss of the given examples and no others."""

    def loss_of(params):
        logits = model.apply({"params": params}, (images - 3) / 2)
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels])

    updates, _ = tx.update(jax.jit(jax.grad(loss_of))(state.params), state.opt_state, state.params)
    return optax.apply_updates(state.params, updates)


def test_cross_entropy_is_minus_the_log_probability_of_the_label_in_at_least_float32(x64):
    logits = np.random.default_rng(0).normal(size=(4, 3)) * 10
    expected = -logits[np.arange(4), [0, 2, 1, 1]] + np.log(np.exp(logits).sum(axis=1))
    np.testing.assert_allclose(cross_entropy(jnp.asarray(logits), jnp.array([0, 2, 1, 1])), expected, rtol=1e-12)
    assert cross_entropy(jnp.zeros((2, 3), jnp.bfloat16), jnp.zeros(2, int)).dtype == jnp.float32


def test_a_step_is_one_step_of_adam_on_the_real_examples_of_the_batch(x64):
    """Ten examples in batches of four: the last has two, and two of padding that does not matter."""
    images, labels, model, tx, state = float64_problem()
    order = np.random.default_rng(1).permutation(np.arange(1, 11))
    step = pmapped(make_train_step(model, tx, STATISTICS))
    changed = images.copy()
    changed[0] = 1e3
    for number, batch in enumerate(split_batches(order, 4, 1)):
        chosen = order[4 * number :][:4]
        assert batch.mask.sum() == len(chosen)
        found, _ = step(state, KEYS, images, labels, batch)
        expected = step_by_hand(images[chosen], labels[chosen], model, tx, state)
        close = functools.partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12)
        jax.tree.map(close, found.params, expected)
        assert found.step == 1
    assert batch.indices[0, -1] == 0
    jax.tree.map(np.testing.assert_array_equal, step(state, KEYS, changed, labels, batch)[0].params, found.params)


def test_predictions_and_losses_are_per_example(x64):
    images, labels, model, _, state = float64_problem()
    (batch,) = split_batches(np.arange(11), 11, 1)
    predict = jax.pmap(make_predict_step(model, STATISTICS), axis_name="data", in_axes=(None, None, None, 0))
    predicted, losses = predict(state.variables, images, labels, batch)
    logits = np.asarray(model.apply(state.variables, (images - 3) / 2))
    np.testing.assert_array_equal(predicted[0], logits.argmax(axis=1))
    np.testing.assert_allclose(losses[0], cross_entropy(logits, labels), rtol=1e-12)
    changed = jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan), state.variables)
    assert (predict(changed, images, labels, batch)[0] == -1).all()


@pytest.mark.parametrize(("batch_size", "num_devices"), [(4, 1), (5, 2), (37, 8), (3, 8), (100, 8)])
def test_every_example_is_in_exactly_one_batch_once(batch_size, num_devices):
    order = np.random.default_rng(0).permutation(50)
    batches = split_batches(order, batch_size, num_devices)
    seen = np.concatenate([batch.indices[batch.mask == 1] for batch in batches])
    np.testing.assert_array_equal(seen, order)
    assert len(batches) == -(-50 // batch_size)
    for batch in batches:
        assert batch.indices.shape == batch.mask.shape == (num_devices, -(-batch_size // num_devices))
        assert batch.mask.sum() <= batch_size


def test_one_and_eight_devices_agree_in_float64(x64, eight_devices):
    here = jax.tree.leaves(adam_steps_in_float64())
    there = np.load(eight_devices / "float64.npz")
    assert len(here) == len(there.files) == 12
    for one, eight in zip(here, there.values(), strict=True):
        assert one.dtype == eight.dtype == np.float64
        np.testing.assert_allclose(one, eight, rtol=0, atol=1e-8)


def test_a_last_batch_of_mostly_padding_is_short():
    batches = split_batches(np.arange(11), 8, 2, 0.2)
    assert [batch.mask.shape for batch in batches] == [(2, 4), (2, 2)]
    assert batches[1].mask.tolist() == [[1, 1], [1, 0]]
    assert batches[1].indices.tolist() == [[8, 9], [10, 0]]
    assert [batch.mask.shape for batch in split_batches(np.arange(15), 8, 2, 0.2)] == [(2, 4), (2, 4)]
