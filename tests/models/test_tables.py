"""The networks against tables 1-5 of the paper (appendix A.10), and those of the decoding paper."""

import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import models

KEY = jax.random.key(0)
CLASSES = {
    "mlp": 100,
    "alexnet": 100,
    "vgg16": 100,
    "resnet18": 100,
    "resnet18_tiny": 200,
    "masc_mlp": 10,
    "masc_cnn": 10,
}
INPUTS = {
    "mlp": (1024,),
    "alexnet": (32, 32, 3),
    "vgg16": (32, 32, 3),
    "resnet18": (32, 32, 3),
    "resnet18_tiny": (64, 64, 3),
    "masc_mlp": (28, 28, 1),
    "masc_cnn": (28, 28, 1),
}
# Row of the table -> height (= width) and channels of what is sown.
SHAPES = {
    "mlp": dict.fromkeys(range(1, 6), 1024) | {6: 100},
    "alexnet": {1: (8, 64), 3: (4, 192), 5: (2, 384), 6: (2, 256), 7: (2, 1024), 9: 100},
    "vgg16": {
        **dict.fromkeys((1, 2), (32, 64)),
        **dict.fromkeys((4, 5), (16, 128)),
        **dict.fromkeys((7, 8, 9), (8, 256)),
        **dict.fromkeys((11, 12, 13), (4, 512)),
        **dict.fromkeys((15, 16, 17), (2, 512)),
        **dict.fromkeys((19, 20), 4096),
        21: 100,
    },
    "resnet18": {
        **dict.fromkeys((1, 2, 3, 4, 5), (32, 64)),
        **dict.fromkeys((6, 7, 9, 10), (16, 128)),
        **dict.fromkeys((11, 12, 14, 15), (8, 256)),
        **dict.fromkeys((16, 17, 19, 20), (4, 512)),
        22: 100,
    },
    "resnet18_tiny": {
        1: (32, 64),
        **dict.fromkeys((3, 4, 5, 6), (16, 64)),
        **dict.fromkeys((7, 8, 10, 11), (8, 128)),
        **dict.fromkeys((12, 13, 15, 16), (4, 256)),
        **dict.fromkeys((17, 18, 20, 21), (2, 512)),
        23: 200,
    },
    "masc_mlp": {1: 128, 2: 512, 3: 2048, 4: 2048, 5: 10},
    "masc_cnn": {
        **dict.fromkeys((1, 2), (28, 16)),
        **dict.fromkeys((3, 4), (14, 32)),
        5: (7, 64),
        6: (3, 64),
        **dict.fromkeys((7, 8, 9), 250),
        10: 10,
    },
}
# Filters of every convolution, kernel size and units, by row; 1 x 1 convolutions stand on skip connections.
KERNELS = {
    "alexnet": {1: 11, 3: 5, 5: 3, 6: 3, 7: 3},
    "masc_cnn": dict.fromkeys(range(1, 7), 3),
    "vgg16": dict.fromkeys((1, 2, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17), 3),
    "resnet18": {row: 1 if row in (8, 13, 18) else 3 for row in range(1, 21)},
    "resnet18_tiny": {1: 7} | {row: 1 if row in (9, 14, 19) else 3 for row in range(3, 22)},
}


def abstract(name, **options):
    """Shapes of the variables, of what is sown and of the output of every convolution and linear layer."""
    model = models.create(name, num_classes=CLASSES[name], **options)
    x = jax.ShapeDtypeStruct((2, *INPUTS[name]), jnp.float32)
    variables = jax.eval_shape(model.init, KEY, x)

    def apply(variables, x):
        return model.apply(
            variables,
            x,
            mutable=["intermediates"],
            capture_intermediates=lambda module, _: isinstance(module, nn.Conv | nn.Dense),
        )

    logits, state = jax.eval_shape(apply, variables, x)
    captured = state["intermediates"]
    sown = {key.removesuffix("_out"): value[0] for key, value in captured.items() if key.endswith("_out")}
    outputs = {key: value["__call__"][0] for key, value in captured.items() if isinstance(value, dict)}
    return variables, sown, outputs, logits


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        # 5 x 1024^2 + 1024 x 100 and the biases.
        ("mlp", 5_350_500, 5_345_280),
        # 22.0 M in the convolutions, 0.1 M in the linear layer.
        ("alexnet", 4_342_436, 22_134_784),
        ("vgg16", 34_011_172, 332_480_512),
        # torchvision's count for a ResNet18 with a 3 x 3 stem and 100 classes.
        ("resnet18", 11_220_132, 555_468_800),
        ("resnet18_tiny", 11_279_112, 148_148_224),
        # 784 x 128 + 128 x 512 + 512 x 2048 + 2048^2 + 2048 x 10 and the biases.
        ("masc_mlp", 5_433_994, 5_429_248),
        # 576 units after the poolings; the last layer has no bias.
        ("masc_cnn", 344_042, 7_609_740),
    ],
)
def test_size(name, parameters, multiply_adds):
    variables, _, outputs, _ = abstract(name)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == parameters
    # Each position of an output, of the two examples, applies the whole kernel once.
    counted = sum(
        variables["params"][key]["kernel"].size * (out.size // out.shape[-1] // 2) for key, out in outputs.items()
    )
    assert counted == multiply_adds


@pytest.mark.parametrize("name", models.MODELS)
def test_layers_are_the_rows_of_the_table(name):
    _, sown, _, logits = abstract(name)
    layers = models.layers(name)
    assert models.layer_names(name) == tuple(layer.name for layer in layers)
    assert [layer.number for layer in layers] == sorted(SHAPES[name])
    assert [int(re.sub("[a-z]", "", layer.name)) for layer in layers] == [layer.number for layer in layers]
    for layer in layers:
        expected = SHAPES[name][layer.number]
        expected = (expected,) if isinstance(expected, int) else (expected[0], expected[0], expected[1])
        assert sown[layer.name].shape == (2, *expected), layer
    assert set(sown) == set(models.layer_names(name))
    assert layers[-1].tap == "logits"
    assert logits.shape == (2, CLASSES[name])


@pytest.mark.parametrize("name", models.MODELS)
def test_layers_are_listed_in_the_order_they_are_computed(name):
    model = models.create(name, num_classes=3, width=2)
    variables = jax.eval_shape(model.init, KEY, jax.ShapeDtypeStruct((1, *INPUTS[name]), jnp.float32))
    order = []

    def log(next_function, args, kwargs, context):
        # Skip convolutions are computed last in their block and are not analysed.
        if isinstance(context.module, nn.Conv | nn.Dense) and context.module.name in models.layer_names(name):
            order.append(context.module.name)
        return next_function(*args, **kwargs)

    with nn.intercept_methods(log):
        jax.eval_shape(model.apply, variables, jax.ShapeDtypeStruct((1, *INPUTS[name]), jnp.float32))
    assert tuple(order) == models.layer_names(name)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels(name):
    variables, _, _, _ = abstract(name)
    sizes = {
        int(key.removeprefix("conv")): leaf["kernel"].shape[0]
        for key, leaf in variables["params"].items()
        if "kernel" in leaf and key.startswith("conv")
    }
    assert sizes == KERNELS[name]
    normed = {int(key[4:-3]) for key in variables["params"] if key.endswith("_bn")}
    assert normed == (set() if name in ("alexnet", "masc_cnn") else set(KERNELS[name]))


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "resnet18_tiny"])
def test_a_layer_and_its_batch_norm_are_found_by_name(name):
    variables, _, _, _ = abstract(name)
    for layer in models.layers(name):
        parts = set(variables["params"][layer.name])
        if layer.name.startswith("linear"):
            assert parts == {"kernel", "bias"}
        else:
            assert parts == {"kernel"}
            assert set(variables["params"][f"{layer.name}_bn"]) == {"scale", "bias"}
            assert set(variables["batch_stats"][f"{layer.name}_bn"]) == {"mean", "var"}


@pytest.mark.parametrize("name", models.MODELS)
def test_width_scales_every_layer(name):
    _, half, _, _ = abstract(name, width=models.create(name, num_classes=1).width // 2)
    _, full, _, _ = abstract(name)
    for layer in models.layer_names(name)[:-1]:
        assert 2 * half[layer].shape[-1] == full[layer].shape[-1]
        assert half[layer].shape[:-1] == full[layer].shape[:-1]


def test_only_the_post_nonlinearity_is_sown():
    model = models.create("resnet18", num_classes=3, width=2)
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype(np.float32)
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: np.abs(rng.normal(size=leaf.shape)), jax.eval_shape(model.init, KEY, x))
    variables["params"] = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), variables["params"])
    logits, state = jax.jit(functools.partial(model.apply, mutable=["intermediates"]))(variables, x)
    for layer in models.layers("resnet18")[:-1]:
        activation = state["intermediates"][f"{layer.name}_out"][0]
        assert activation.min() >= 0
        assert activation.max() > 0
    assert (state["intermediates"]["linear22_out"][0] == logits).all()


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("vgg16", (28, 28, 1), "at least 32 x 32"),
        ("alexnet", (28, 28, 1), "at least 29 x 29"),
        ("resnet18", (1024,), "expected images"),
        ("masc_cnn", (7, 28, 1), "at least 8 x 8"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(name, shape, words):
    with pytest.raises(ValueError, match=words):
        models.check_input(name, shape)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("mlp", (7,)), ("mlp", (8, 8, 1)), ("alexnet", (29, 29, 1)), ("vgg16", (32, 32, 1)), ("masc_cnn", (8, 8, 1))],
)
def test_the_smallest_input_that_fits(name, shape):
    models.check_input(name, shape)
    model = models.create(name, num_classes=3, width=1)
    jax.eval_shape(model.init, KEY, jax.ShapeDtypeStruct((1, *shape), jnp.float32))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"name": "vgg"},
            f"expected model to be one of {', '.join(sorted(models.MODELS))}, or MODULE:NAME of your own, got 'vgg'",
        ),
        ({"name": "mlp", "width": 0}, "expected width >= 1, got 0"),
        ({"name": "mlp", "init": "he"}, "expected init to be one of lecun, glorot, torch, got 'he'"),
        ({"name": "mlp", "dropout": 0.5}, "expected no dropout for model mlp"),
        ({"name": "vgg16", "dropout": 1.0}, "expected dropout >= 0 and < 1, got 1.0"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        models.create(num_classes=3, **options)
