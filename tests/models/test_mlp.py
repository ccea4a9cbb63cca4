import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import models


def initialised(num_inputs=12, num_classes=3, width=7, seed=0, dtype=jnp.float32):
    model = models.create("mlp", num_classes=num_classes, width=width, dtype=dtype)
    inputs = np.random.default_rng(seed).normal(size=(5, num_inputs)).astype(dtype)
    return model, model.init(jax.random.key(seed), inputs, train=False), inputs


def test_has_the_parameters_of_the_papers_table_1():
    model = models.create("mlp", num_classes=100)
    shapes = jax.eval_shape(lambda key: model.init(key, jnp.zeros((1, 1024)), train=False), jax.random.key(0))
    kernels = {name: layer["kernel"].shape for name, layer in shapes["params"].items()}
    hidden = [kernels[f"linear{number}"] for number in range(1, 6)]
    assert hidden == [(1024, 1024)] * 5
    assert sum(np.prod(shape) for shape in hidden) == 5 * 1024**2
    assert kernels["linear6"] == (1024, 100)
    assert {name: layer["bias"].shape for name, layer in shapes["params"].items()} == {
        name: shape[1:] for name, shape in kernels.items()
    }


def test_layer_names_are_in_the_order_of_the_network():
    assert models.layer_names("mlp") == ("linear1", "linear2", "linear3", "linear4", "linear5", "linear6")
    _, variables, _ = initialised()
    assert set(variables["params"]) == set(models.layer_names("mlp"))


def test_init_makes_params_and_nothing_else():
    _, variables, _ = initialised()
    assert set(variables) == {"params"}


def test_sown_activations_are_those_of_a_numpy_forward_pass(x64):
    model, variables, inputs = initialised(dtype=jnp.float64)
    logits, sown = model.apply(variables, inputs, train=False, mutable=["intermediates"])
    value = inputs
    for name in models.layer_names("mlp"):
        layer = variables["params"][name]
        value = value @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
        if name != "linear6":
            value = np.maximum(value, 0)
        np.testing.assert_allclose(sown["intermediates"][f"{name}_out"][0], value, atol=1e-12)
    np.testing.assert_allclose(logits, value, atol=1e-12)
    assert len(sown["intermediates"]) == 6


def test_images_are_flattened():
    model, variables, inputs = initialised()
    np.testing.assert_array_equal(model.apply(variables, inputs), model.apply(variables, inputs.reshape(5, 2, 3, 2)))


def test_parameters_stay_float32_when_the_computation_is_in_bfloat16():
    model, variables, inputs = initialised(dtype=jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    logits, sown = model.apply(variables, inputs, mutable=["intermediates"])
    assert sown["intermediates"]["linear5_out"][0].dtype == jnp.bfloat16
    assert logits.dtype == jnp.float32


def test_the_width_is_the_papers_unless_given():
    assert models.create("mlp", num_classes=3).width == 1024
    assert models.create("mlp", num_classes=3, width=1).width == 1


@pytest.mark.parametrize("width", [0, -3])
def test_a_width_below_1_is_refused(width):
    with pytest.raises(ValueError, match=f"expected width >= 1, got {width}"):
        models.create("mlp", num_classes=3, width=width)


@pytest.mark.parametrize("call", [models.check_name, models.layer_names, lambda n: models.create(n, num_classes=2)])
def test_an_unknown_name_lists_the_valid_ones(call):
    with pytest.raises(
        ValueError,
        match=f"expected model to be one of {', '.join(sorted(models.MODELS))}, or MODULE:NAME of your own, got 'mpl'",
    ):
        call("mpl")
