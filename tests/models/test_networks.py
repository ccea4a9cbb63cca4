"""The networks against tables 1-5 of the paper (appendix A.10), those of the decoding paper and those of MNIST-1D."""

import functools
import re
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import models

KEY = jax.random.key(0)


class Table(NamedTuple):
    """What a paper says of a network, by the rows of its table.

    `shapes`: height (= width), or length, and channels of what is recorded, or its units; `kernels`: sizes of
    convolutions.
    """

    inputs: tuple[int, ...]
    shapes: dict
    kernels: dict
    parameters: int
    multiply_adds: int

    def rows(self, name):
        return {row: value for rows, value in getattr(self, name).items() for row in rows}


VGG16 = {(1, 2): (32, 64), (4, 5): (16, 128), (7, 8, 9): (8, 256), (11, 12, 13): (4, 512), (15, 16, 17): (2, 512)}
RESNET18 = {(1, 2, 3, 4, 5): (32, 64), (6, 7, 9, 10): (16, 128), (11, 12, 14, 15): (8, 256), (16, 17, 19, 20): (4, 512)}
TINY = {(3, 4, 5, 6): (16, 64), (7, 8, 10, 11): (8, 128), (12, 13, 15, 16): (4, 256), (17, 18, 20, 21): (2, 512)}
ALEXNET = {(1,): (8, 64), (3,): (4, 192), (5,): (2, 384), (6,): (2, 256), (7,): (2, 1024)}
MASC_CNN = {(1, 2): (28, 16), (3, 4): (14, 32), (5,): (7, 64), (6,): (3, 64), (7, 8, 9): 250, (10,): 10}
MASC_MLP = {(1,): 128, (2,): 512, (3, 4): 2048, (5,): 10}
MNIST1D_CNN = {(1,): (19, 25), (2,): (10, 25), (3,): (5, 25)}
# Kernels of 1 x 1 are on skip connections.
RESNET18_KERNELS = {(1, *range(2, 8), *range(9, 13), *range(14, 18), 19, 20): 3, (8, 13, 18): 1}
TINY_KERNELS = {(1,): 7, (*range(3, 9), *range(10, 14), *range(15, 19), 20, 21): 3, (9, 14, 19): 1}
CIFAR = (32, 32, 3)
TABLES = {
    # 5 x 1024^2 + 1024 x 100 and the biases.
    "mlp": Table((1024,), {(1, 2, 3, 4, 5): 1024, (6,): 100}, {}, 5_350_500, 5_345_280),
    # 22.0 M multiplications in the convolutions, 0.1 M in the linear layer.
    "alexnet": Table(CIFAR, ALEXNET | {(9,): 100}, {(1,): 11, (3,): 5, (5, 6, 7): 3}, 4_342_436, 22_134_784),
    "vgg16": Table(CIFAR, VGG16 | {(19, 20): 4096, (21,): 100}, {sum(VGG16, ()): 3}, 34_011_172, 332_480_512),
    # torchvision's count for a ResNet18 with a 3 x 3 stem and 100 classes.
    "resnet18": Table(CIFAR, RESNET18 | {(22,): 100}, RESNET18_KERNELS, 11_220_132, 555_468_800),
    "resnet18_tiny": Table((64, 64, 3), {(1,): (32, 64), **TINY, (23,): 200}, TINY_KERNELS, 11_279_112, 148_148_224),
    # 784 x 128 + 128 x 512 + 512 x 2048 + 2048^2 + 2048 x 10 and the biases.
    "masc_mlp": Table((28, 28, 1), MASC_MLP, {}, 5_433_994, 5_429_248),
    # 576 units after the poolings; the last layer has no bias.
    "masc_cnn": Table((28, 28, 1), MASC_CNN, {(1, 2, 3, 4, 5, 6): 3}, 344_042, 7_609_740),
    "mnist1d_mlp": Table((40,), {(1, 2): 100, (3,): 10}, {}, 15_210, 15_000),
    # 25 x 5 x 19 + 25 x 75 x (10 + 5) + 125 x 10 multiplications.
    "mnist1d_cnn": Table((40,), MNIST1D_CNN | {(4,): 10}, {(1,): 5, (2, 3): 3}, 5_210, 31_750),
}


@functools.cache
def abstract(name, **options):
    """Shapes of the variables, of what is recorded and of what layers give, in the order they are computed; logits."""
    table = TABLES[name]
    model = models.create(name, num_classes=[*table.shapes.values()][-1], **options)
    x = jax.ShapeDtypeStruct((2, *table.inputs), jnp.float32)
    variables = jax.eval_shape(model.init, KEY, x)
    outputs = {}

    def log(next_function, args, kwargs, context):
        result = next_function(*args, **kwargs)
        if isinstance(context.module, nn.Conv | nn.Dense):
            outputs[context.module.name] = result
        return result

    with nn.intercept_methods(log):
        apply = functools.partial(model.apply, mutable=["intermediates"])
        logits, state = jax.eval_shape(apply, variables, x)
    recorded = {key.removesuffix("_out"): value[0] for key, value in state["intermediates"].items()}
    return variables, recorded, outputs, logits


@pytest.mark.parametrize("name", models.MODELS)
def test_layers_are_the_rows_of_the_table(name):
    table, (variables, recorded, outputs, logits) = TABLES[name], abstract(name)
    layers, names, shapes = models.layers(name), models.layer_names(name), table.rows("shapes")
    assert [layer.number for layer in layers] == sorted(shapes)
    assert [int(re.sub("[a-z]", "", layer)) for layer in names] == sorted(shapes)
    # Skip convolutions are computed last in their block and are not analyzed.
    assert tuple(layer for layer in outputs if layer in names) == names == tuple(layer.name for layer in layers)
    assert set(recorded) == set(names)
    for layer in layers:
        shape = shapes[layer.number]
        images = len(table.inputs) == 3
        expected = (shape,) if isinstance(shape, int) else (shape[0], *shape) if images else shape
        assert recorded[layer.name].shape == (2, *expected), layer
    assert layers[-1].recorded == "logits"
    assert logits.shape == (2, shapes[layers[-1].number])
    # Each position of an output, of the two examples, applies the whole kernel once.
    kernels = {key: leaf["kernel"] for key, leaf in variables["params"].items() if "kernel" in leaf}
    counts = [kernels[key].size * (out.size // out.shape[-1] // 2) for key, out in outputs.items()]
    assert sum(counts) == table.multiply_adds
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == table.parameters
    sizes = {int(key[4:]): leaf.shape[0] for key, leaf in kernels.items() if key.startswith("conv")}
    assert sizes == table.rows("kernels")


@pytest.mark.parametrize("name", TABLES)
def test_a_layer_and_its_batch_norm_are_found_by_name(name):
    variables, *_ = abstract(name)
    params, stats = variables["params"], variables.get("batch_stats", {})
    has_norm = name.startswith(("vgg", "resnet"))
    assert set(variables) == ({"params", "batch_stats"} if has_norm else {"params"})
    normed = set(TABLES[name].rows("kernels")) if has_norm else set()
    assert {int(key[4:-3]) for key in params if key.endswith("_bn")} == normed
    for layer in models.layer_names(name):
        if has_norm and layer.startswith("conv"):
            assert set(params[layer]) == {"kernel"}
            assert set(params[f"{layer}_bn"]) == {"scale", "bias"}
            assert set(stats[f"{layer}_bn"]) == {"mean", "var"}
        else:
            assert set(params[layer]) == ({"kernel"} if layer == "linear10" else {"kernel", "bias"})


@pytest.mark.parametrize("name", TABLES)
def test_width_scales_every_layer_and_is_the_papers_unless_given(name):
    _, twice, *_ = abstract(name, width=2 * models.create(name, num_classes=1).width)
    _, papers, *_ = abstract(name)
    for layer in models.layer_names(name)[:-1]:
        assert twice[layer].shape[-1] == 2 * papers[layer].shape[-1]
        assert twice[layer].shape[:-1] == papers[layer].shape[:-1]


def test_only_the_post_nonlinearity_is_recorded():
    model = models.create("resnet18", num_classes=3, width=2)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    variables = jax.tree.map(lambda leaf: np.abs(rng.normal(size=leaf.shape)), jax.eval_shape(model.init, KEY, x))
    variables["params"] = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), variables["params"])
    logits, state = jax.jit(functools.partial(model.apply, mutable=["intermediates"]))(variables, x)
    for layer in models.layers("resnet18")[:-1]:
        activation = state["intermediates"][f"{layer.name}_out"][0]
        assert activation.min() >= 0
        assert activation.max() > 0
    assert (state["intermediates"]["linear22_out"][0] == logits).all()


@pytest.mark.parametrize("shape", [(5, 12), (5, 2, 3, 2)])
def test_recorded_activations_are_those_of_a_numpy_forward_pass(x64, shape):
    model = models.create("mlp", num_classes=3, width=7, dtype=jnp.float64)
    inputs = np.random.default_rng(0).normal(size=shape)
    variables = model.init(KEY, inputs, train=False)
    logits, state = model.apply(variables, inputs, train=False, mutable=["intermediates"])
    value = inputs.reshape(5, 12)
    for name in models.layer_names("mlp"):
        layer = variables["params"][name]
        value = value @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
        if name != "linear6":
            value = np.maximum(value, 0)
        np.testing.assert_allclose(state["intermediates"][f"{name}_out"][0], value, atol=1e-12)
    np.testing.assert_allclose(logits, value, atol=1e-12)


def test_convolutions_along_a_sequence_are_those_of_a_numpy_forward_pass(x64):
    model = models.create("mnist1d_cnn", num_classes=3, width=4, dtype=jnp.float64, init="torch")
    value = np.random.default_rng(0).normal(size=(5, 12))
    variables = jax.jit(model.init)(KEY, value)
    logits, state = jax.jit(functools.partial(model.apply, mutable=["intermediates"]))(variables, value)
    params = jax.tree.map(np.asarray, variables["params"])
    value = value[..., None]
    for name in ("conv1", "conv2", "conv3"):
        kernel, bias = params[name]["kernel"], params[name]["bias"]
        padded = np.pad(value, ((0, 0), (1, 1), (0, 0)))
        starts = range(0, padded.shape[1] - len(kernel) + 1, 2)
        sums = [np.einsum("nkc,kcf->nf", padded[:, start : start + len(kernel)], kernel) for start in starts]
        value = np.maximum(np.stack(sums, axis=1) + bias, 0)
        np.testing.assert_allclose(state["intermediates"][f"{name}_out"][0], value, atol=1e-12)
    value = value.reshape(5, -1) @ params["linear4"]["kernel"] + params["linear4"]["bias"]
    np.testing.assert_allclose(logits, value, atol=1e-12)


def test_parameters_and_logits_stay_float32_when_the_computation_is_in_bfloat16():
    variables, recorded, _, logits = abstract("mlp", dtype=jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    assert recorded["linear5"].dtype == jnp.bfloat16
    assert logits.dtype == jnp.float32


@pytest.mark.parametrize(
    ("name", "fits", "does_not", "words"),
    [
        ("vgg16", (32, 32, 1), (28, 28, 1), "at least 32 x 32"),
        ("alexnet", (29, 29, 1), (28, 28, 1), "at least 29 x 29"),
        ("resnet18", (1, 1, 1), (1024,), "expected images"),
        ("masc_cnn", (8, 8, 1), (7, 28, 1), "at least 8 x 8"),
        ("mnist1d_cnn", (3,), (2,), "sequences of at least 3 numbers"),
        ("mnist1d_cnn", (40,), (8, 8, 1), "like those of mnist1d, got examples of shape"),
        ("mlp", (7,), None, ""),
        ("mlp", (8, 8, 1), None, ""),
    ],
)
def test_the_smallest_input_fits_and_smaller_ones_are_refused(name, fits, does_not, words):
    models.check_input(name, fits)
    model = models.create(name, num_classes=3, width=1)
    jax.eval_shape(model.init, KEY, jax.ShapeDtypeStruct((1, *fits), jnp.float32))
    if does_not:
        with pytest.raises(ValueError, match=words):
            models.check_input(name, does_not)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "vgg"}, f"one of {', '.join(sorted(models.MODELS))}, or MODULE:NAME of your own, got 'vgg'"),
        ({"name": "mlp", "width": -3}, "expected width >= 1, got -3"),
        ({"name": "mlp", "init": "he"}, "expected init to be one of lecun, glorot, torch, got 'he'"),
        ({"name": "mlp", "dropout": 0.5}, "expected no dropout for model mlp"),
        ({"name": "vgg16", "dropout": 1.0}, "expected dropout >= 0 and < 1, got 1.0"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        models.create(num_classes=3, **options)
