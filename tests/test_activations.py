import jax
import numpy as np
import pytest

from memorize_jax import activations, data, models
from memorize_jax.analysis import INPUT, layer_activations

MODEL = models.create("mlp", num_classes=3, width=5)
IMAGES = np.random.default_rng(0).normal(size=(4, 2, 2, 1)).astype(np.float32)
VARIABLES = MODEL.init(jax.random.key(0), IMAGES, train=False)


def test_the_input_comes_first_then_the_layers_as_asked():
    found = layer_activations(MODEL, VARIABLES, IMAGES, ("linear4", "linear1"))
    assert list(found) == [INPUT, "linear4", "linear1"]
    np.testing.assert_array_equal(found[INPUT], IMAGES)


def test_hidden_layers_are_taken_after_the_relu_and_the_last_is_the_logits():
    found = layer_activations(MODEL, VARIABLES, IMAGES, models.layer_names("mlp"))
    for name in models.layer_names("mlp")[:-1]:
        assert found[name].shape == (4, 5)
        assert found[name].min() == 0
    np.testing.assert_array_equal(found["linear6"], MODEL.apply(VARIABLES, IMAGES))
    first = VARIABLES["params"]["linear1"]
    expected = np.maximum(IMAGES.reshape(4, -1) @ first["kernel"] + first["bias"], 0)
    np.testing.assert_allclose(found["linear1"], expected, atol=1e-6)


def test_a_layer_the_model_does_not_have_is_named():
    with pytest.raises(ValueError, match="expected the model to sow conv1, conv2, got linear1_out, linear2_out"):
        layer_activations(MODEL, VARIABLES, IMAGES, ("conv1", "linear1", "conv2"))


def test_batches_and_layers_one_by_one_give_what_all_at_once_give(monkeypatch):
    statistics = data.ChannelStatistics(np.full(1, 0.5, np.float32), np.full(1, 2, np.float32))
    read = activations.flat_reader(MODEL, statistics, ("linear1", "linear5"))
    sets = [IMAGES, IMAGES[:3] + 1]
    whole = [layer_activations(MODEL, VARIABLES, (images - 0.5) / 2, ("linear1", "linear5")) for images in sets]
    monkeypatch.setattr(activations, "BATCH", 3)
    monkeypatch.setattr(activations, "HOST_BYTES", 1)
    names = (INPUT, "linear5", "linear1")
    found = dict(activations.hosted_activations(read, VARIABLES, sets, names))
    assert tuple(found) == names
    for name, values in found.items():
        for value, expected in zip(values, whole, strict=True):
            np.testing.assert_allclose(value, np.reshape(expected[name], (len(value), -1)), atol=1e-6)
