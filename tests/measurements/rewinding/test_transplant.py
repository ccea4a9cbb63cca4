import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import models
from memorize_jax.measurements.rewinding.transplant import recalibrated, rewound_network
from memorize_jax.models import BN_POLICIES, check_groups, count_groups, transplant
from memorize_jax.models.batch_norm import BatchNorm

LAYERS = models.layers("mlp")


def select_groups(spec, layers):
    return models.select_groups(spec, layers, "rewind_layers")


def network(name, seed):
    """Random variables of a small network, without compiling anything."""
    model = models.create(name, num_classes=3, width=2)
    size = 64 if name == "resnet18_tiny" else 32
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    rng = np.random.default_rng(seed)
    filled = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), dict(shapes))
    return {"params": {}, "batch_stats": {}, **filled}


def same(first, second):
    equal = jax.tree.map(lambda a, b: bool((a == b).all()), first, second)
    return all(jax.tree.leaves(equal))


@pytest.mark.parametrize("name", models.MODELS)
def test_every_module_belongs_to_exactly_one_layer(name):
    variables = network(name, 0)
    held = [module for layer in models.layers(name) for module in layer.modules if module in variables["params"]]
    assert sorted(held) == sorted(variables["params"])
    assert set(variables["batch_stats"]) <= set(held)


@pytest.mark.parametrize("name", models.MODELS)
def test_all_layers_rewound_are_the_network_of_that_epoch(name):
    final, early = network(name, 0), network(name, 1)
    (group,) = select_groups("all", models.layers(name))
    assert same(transplant(final, early, group.modules), early)


def test_a_layer_brings_its_batch_norm_and_nothing_else():
    final, early = network("resnet18", 0), network("resnet18", 1)
    (group,) = select_groups("conv7", models.layers("resnet18"))
    mixed = transplant(final, early, group.modules)
    for collection, contents in mixed.items():
        for module, leaves in contents.items():
            source = early if module in ("conv7", "conv7_bn", "conv8", "conv8_bn") else final
            assert leaves is source[collection][module]


@pytest.mark.parametrize(
    ("bn", "scale", "statistics"),
    [
        ("with_layer", "early", "early"),
        ("keep", "final", "final"),
        ("rewind_stats_only", "final", "early"),
        ("recalibrate", "early", "early"),
    ],
)
def test_the_policy_says_which_part_of_the_batch_norm_moves(bn, scale, statistics):
    networks = {"final": network("resnet18", 0), "early": network("resnet18", 1)}
    mixed = transplant(networks["final"], networks["early"], ("conv2", "conv2_bn"), bn=bn)
    assert mixed["params"]["conv2"] is networks["early"]["params"]["conv2"]
    assert mixed["params"]["conv2_bn"] is networks[scale]["params"]["conv2_bn"]
    assert mixed["batch_stats"]["conv2_bn"] is networks[statistics]["batch_stats"]["conv2_bn"]


@pytest.mark.parametrize("bn", BN_POLICIES)
def test_a_layer_of_the_same_epoch_changes_nothing(bn):
    final = network("resnet18", 0)
    for group in select_groups("each,last:3", models.layers("resnet18")):
        assert same(transplant(final, final, group.modules, bn=bn), final)


def test_into_early_is_the_reverse_and_only_then_reads_whole_networks():
    final, early = network("mlp", 0), network("mlp", 1)
    (group,) = select_groups("linear6", LAYERS)
    layers_only = {"params": {"linear6": early["params"]["linear6"]}, "batch_stats": {}}

    def refuse(*_):
        raise AssertionError("not needed")

    rewound = rewound_network(group, 3, final, refuse, lambda epoch, names: layers_only, into="final", bn="with_layer")
    reverse = rewound_network(group, 3, final, lambda epoch: early, refuse, into="early", bn="with_layer")
    for name in final["params"]:
        first, second = (early, final) if name == "linear6" else (final, early)
        assert rewound["params"][name] is first["params"][name]
        assert reverse["params"][name] is second["params"][name]


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("each", ["linear1", "linear2", "linear3", "linear4", "linear5", "linear6"]),
        ("last:2", ["linear5+linear6"]),
        ("last:1,linear6", ["linear6"]),
        ("linear2+linear4, linear1", ["linear2+linear4", "linear1"]),
        ("linear4+linear2,linear2+linear4", ["linear2+linear4"]),
        ("linear1+linear1", ["linear1"]),
        ("all", ["linear1+linear2+linear3+linear4+linear5+linear6"]),
        ("windows:1", [f"linear{number}" for number in range(1, 7)]),
        ("windows:5", ["linear1+linear2+linear3+linear4+linear5", "linear2+linear3+linear4+linear5+linear6"]),
    ],
)
def test_groups_are_read_in_order_each_once(spec, names):
    assert [group.name for group in select_groups(spec, LAYERS)] == names


def test_windows_are_of_every_number_of_layers_in_a_row():
    groups = select_groups("windows", LAYERS)
    assert [len(group.layers) for group in groups] == [1] * 6 + [2] * 5 + [3] * 4 + [4] * 3 + [5] * 2 + [6]
    assert groups[:6] == select_groups("each", LAYERS)
    assert [group for group in groups if len(group.layers) == 4] == select_groups("windows:4", LAYERS)


@pytest.mark.parametrize("spec", ["each,last:2,last:3", "windows", "windows:4,all", "linear1+linear3"])
def test_as_many_groups_are_counted_as_there_are(spec):
    assert count_groups(spec, len(LAYERS)) == len(select_groups(spec, LAYERS))


def test_conv_leaves_the_linear_layers_out_as_in_figure_4():
    names = [group.name for group in select_groups("conv", models.layers("vgg16"))]
    assert len(names) == 13
    assert all(name.startswith("conv") for name in names)


def test_a_network_without_convolutions_is_said_to_have_none():
    with pytest.raises(ValueError, match=r"linear6, got 'conv'; the network has no convolutions$"):
        select_groups("each,conv", LAYERS)


@pytest.mark.parametrize("item", ["conv", "linear7", "linear1+conv1", "linear1+", "windows:7"])
def test_layers_the_network_does_not_have_are_named(item):
    with pytest.raises(ValueError, match="expected rewind_layers among linear1, .*, got '" + item.replace("+", r"\+")):
        select_groups(item, LAYERS)


@pytest.mark.parametrize("item", ["", "last:0", "last:", "last:x", "each,,all", "windows:0", "first:2"])
def test_a_malformed_choice_is_named(item):
    with pytest.raises(ValueError, match="expected rewind_layers to be comma-separated each"):
        check_groups(item, "rewind_layers")


def test_unknown_policy_and_missing_layer_are_named():
    final = network("mlp", 0)
    with pytest.raises(ValueError, match=r"expected bn to be one of with_layer, .* got 'none'"):
        transplant(final, final, ("linear1",), bn="none")
    with pytest.raises(ValueError, match="expected a network with one of conv1, got linear1"):
        transplant(final, final, ("conv1",))


class Normalized(nn.Module):
    @nn.compact
    def __call__(self, x, train, mask=None):
        return BatchNorm(name="first_bn")(x, train, mask)


def test_recalibration_measures_the_statistics_of_the_training_set():
    rng = np.random.default_rng(0)
    inputs = rng.normal(2, 3, (8, 5)).astype(np.float32)
    variables = Normalized().init(jax.random.key(0), inputs, False)
    # The last batch is short by two.
    batches = [(inputs[:4], np.ones(4, np.float32)), (inputs[4:], np.float32([1, 1, 0, 0]))]
    found = recalibrated(Normalized(), variables, batches)["batch_stats"]["first_bn"]
    first, second = inputs[:4], inputs[4:6]
    np.testing.assert_allclose(found["mean"], (4 * first.mean(0) + 2 * second.mean(0)) / 6, rtol=1e-5)
    np.testing.assert_allclose(found["var"], (4 * first.var(0) + 2 * second.var(0)) / 6, rtol=1e-4)


def test_without_batch_norm_there_is_nothing_to_recalibrate():
    variables = network("mlp", 0)
    assert recalibrated(Normalized(), variables, []) is variables
