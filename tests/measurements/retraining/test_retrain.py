import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.measurements.retraining.retrain import retrain_step, retrained
from memorize_jax.models import LayerGroup
from memorize_jax.recipe import make_optimizer
from memorize_jax.training import TrainState
from memorize_jax.training.step import Batch
from tests.measurements.small import AS_THEY_ARE, CONV_LAYERS, DENSE_LAYERS, Convolutional, Dense, drawn, inputs

RATE, BATCH = 1e-2, Batch(np.arange(6, dtype=np.int32), np.float32([1, 1, 1, 1, 1, 0]))
TX, IMAGE = make_optimizer("adam", RATE), (3, 3, 1)
LABELS = np.int32([0, 1, 2, 0, 1, 2])


def started(variables):
    return TrainState(variables["params"], variables["batch_stats"], TX.init(variables["params"]), jnp.int32(0))


def trained_one_step(model, variables, modules, images):
    chosen = {name: np.bool_(name in modules) for held in variables.values() for name in held}
    arrays = (jnp.asarray(images), jnp.asarray(LABELS), BATCH, AS_THEY_ARE)
    return retrain_step(started(variables), chosen, *arrays, model=model, tx=TX)


def moved(before, after):
    """Modules of which any bit has changed, of parameters and of running statistics."""
    differ = lambda old, new: any(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a != b).any()), old, new)))
    pairs = zip((before["params"], before["batch_stats"]), (after.params, after.batch_stats), strict=True)
    return [{name for name in old if differ(old[name], new[name])} for old, new in pairs]


@pytest.mark.parametrize("layer", CONV_LAYERS, ids=lambda layer: layer.name)
def test_only_the_chosen_layer_moves_and_only_its_running_statistics(layer):
    model = Convolutional()
    before = drawn(model, IMAGE)
    after = trained_one_step(model, before, LayerGroup(layer.name, (layer,)).modules, inputs(6, IMAGE))
    params, statistics = moved(before, after)
    own = {name for name in layer.modules if name in before["params"]}
    assert params == own
    assert statistics == {name for name in own if name.endswith("_bn")}


def test_all_layers_use_one_program():
    model, sizes = Convolutional(), set()
    for layer in CONV_LAYERS:
        trained_one_step(model, drawn(model, IMAGE), layer.modules, inputs(6, IMAGE))
        sizes.add(retrain_step._cache_size())
    assert len(sizes) == 1


def test_a_step_of_the_last_layer_is_adams_on_the_softmax_of_what_the_others_show():
    model, images = Dense(), inputs(6, (4,))
    before = drawn(model, (4,))
    hidden, last = images.astype(float), before["params"]["linear3"]
    for name in ("linear1", "linear2"):
        hidden = np.maximum(hidden @ before["params"][name]["kernel"] + before["params"][name]["bias"], 0)
    logits = hidden @ last["kernel"] + last["bias"]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    error = (shares / shares.sum(1, keepdims=True) - np.eye(3)[LABELS]) * BATCH.mask[:, None] / 5
    # The first step of Adam: the gradient over its own size.
    step = lambda gradient: RATE * gradient / (np.abs(gradient) + 1e-8)
    after = trained_one_step(model, before, DENSE_LAYERS[-1].modules, images).params["linear3"]
    np.testing.assert_allclose(after["kernel"], last["kernel"] - step(hidden.T @ error), atol=2e-6)
    np.testing.assert_allclose(after["bias"], last["bias"] - step(error.sum(0)), atol=2e-6)


def test_the_batch_norm_that_is_trained_uses_the_batch_and_the_frozen_ones_do_not():
    model, images = Convolutional(), inputs(6, IMAGE)
    before = drawn(model, IMAGE)
    after = trained_one_step(model, before, ("conv1", "conv1_bn"), images)
    kernel = before["params"]["conv1"]["kernel"]
    padded = np.pad(images[:5], ((0, 0), (1, 1), (1, 1), (0, 0)))
    shown = sum(
        padded[:, row : row + 3, column : column + 3] @ kernel[row, column]
        for row, column in itertools.product(range(3), range(3))
    )
    old = before["batch_stats"]["conv1_bn"]
    expected = 0.9 * old["mean"] + 0.1 * shown.mean((0, 1, 2))
    np.testing.assert_allclose(after.batch_stats["conv1_bn"]["mean"], expected, rtol=1e-5)


def test_epochs_go_through_the_chosen_examples_alone_in_the_order_of_the_seed():
    model, images = Dense(), inputs(12, (4,))
    labels = np.arange(12, dtype=np.int32) % 3
    options = {"model": model, "tx": TX, "statistics": AS_THEY_ARE, "batch_size": 2}

    def after(labels, seed=0, examples=range(0, 12, 2)):
        start = started(drawn(model, (4,)))
        states = retrained(start, ("linear3",), (images, labels), np.array(examples), seed=seed, **options)
        return [state.params["linear3"]["kernel"] for state in itertools.islice(states, 2)]

    others = np.where(np.arange(12) % 2, (labels + 1) % 3, labels).astype(np.int32)
    first, second = after(labels)
    assert (first != second).any()
    for one, other in zip(after(others), (first, second), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (after(labels, seed=1)[0] != first).any()
