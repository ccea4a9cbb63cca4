import sys
from collections import OrderedDict

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from memorize_jax import taps
from tests.taps.fill import fill
from tests.taps.nnx_networks import filled
from tests.taps.shared import BUILDERS, VECTORS, case

LIBRARIES = ("linen", "nnx", "equinox", "haiku")


@pytest.mark.parametrize(("library", "network"), BUILDERS)
def test_every_layer_is_what_a_forward_pass_by_hand_gives(library, network):
    own = case(library, network)
    tap = own.tap(["*", "*.input"])
    shown, by_hand, output = jax.jit(
        lambda: (tap(own.network, own.inputs), OrderedDict(own.by_hand()), own.forward(own.network, own.inputs))
    )()
    assert list(shown) == list(by_hand)
    for name, values in by_hand.items():
        np.testing.assert_array_equal(shown[name], values, err_msg=name)
    np.testing.assert_array_equal(shown["output"], output)
    for name in own.auto[:-1]:
        assert shown[name].min() >= 0


@pytest.mark.slow
@pytest.mark.parametrize(("library", "network"), BUILDERS)
def test_and_so_it_is_outside_of_jit(library, network):
    own = case(library, network)
    shown = own.tap(["*", "*.input"])(own.network, own.inputs)
    for name, values in own.by_hand().items():
        np.testing.assert_array_equal(shown[name], values, err_msg=name)
    np.testing.assert_array_equal(shown["output"], own.forward(own.network, own.inputs))


@pytest.mark.parametrize(("library", "network"), BUILDERS)
def test_what_suggests_itself_are_the_representations_after_the_nonlinearity(library, network):
    own = case(library, network)
    tap = own.tap("auto")
    assert tap.layers(own.network, jax.ShapeDtypeStruct(own.inputs.shape, own.inputs.dtype)) == own.auto


@pytest.mark.parametrize("library", LIBRARIES)
def test_inside_jit_it_is_the_same_in_the_same_order(library):
    own = case(library, "mlp")
    tap = own.tap("auto")
    eager = tap(own.network, own.inputs)
    jitted = jax.jit(lambda inputs: tap(own.network, inputs))(own.inputs)
    assert list(jitted) == list(eager) == list(own.auto)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6), jitted, eager)


def test_inside_jit_only_what_is_shown_is_computed():
    own = case("linen", "resnet")
    program = lambda layers: jax.jit(own.tap(layers)).lower(own.network, own.inputs).compile().as_text()
    assert [str(program(layers)).count(" convolution(") for layers in ("stem", "*")] == [1, 5]


@pytest.mark.parametrize("library", LIBRARIES)
def test_vmap_over_networks_and_gradients_through_it(library):
    own = case(library, "mlp")
    parts = taps.split(own.network)["params"]
    tap = own.tap("auto")
    with_params = lambda params: taps.merge(own.network, {"params": params})
    run = lambda params: tap(with_params(params), own.inputs)["output"]
    plain = lambda params: own.forward(with_params(params), own.inputs)

    @jax.jit
    def compute():
        twice = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), parts)
        gradients = [jax.grad(lambda params, of=of: (of(params) ** 2).sum())(parts) for of in (run, plain)]
        return jax.vmap(run)(twice), jax.vmap(plain)(twice), gradients

    mapped, expected, gradients = compute()
    np.testing.assert_array_equal(mapped, expected)
    assert jnp.abs(mapped[1] - mapped[0]).max() > 0.1
    jax.tree.map(np.testing.assert_array_equal, *gradients)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_network_is_unchanged_after_an_exception_too(library):
    own = case(library, "resnet")
    before, classes = taps.split(own.network), type(own.network)
    structure = jax.tree.structure(own.network)
    with pytest.raises((ValueError, TypeError, flax.errors.FlaxError)):
        own.tap("auto")(own.network, own.inputs[:, :, :, :2] if library != "equinox" else own.inputs[:, :2])
    assert (type(own.network), jax.tree.structure(own.network)) == (classes, structure)
    jax.tree.map(np.testing.assert_array_equal, taps.split(own.network), before)
    # Nothing listens any more.
    assert jax.eval_shape(lambda: own.forward(own.network, own.inputs)).shape == (6, 2)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_pattern_that_fits_nothing_is_named_with_what_is_near(library):
    own = case(library, "mlp")
    name = own.auto[0].removesuffix(".input")
    with pytest.raises(ValueError, match=rf"^expected layers that the network has, got '{name}x'; it has {name}, "):
        own.tap(["output", f"{name}x"]).layers(own.network, own.inputs)


class Module:
    """As PyTorch's."""


Module.__module__ = "torch.nn.modules.module"


class Classifier(Module):
    pass


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_network_of_another_library_is_told_its_tap(library):
    own = case(library, "mlp")
    if library in ("nnx", "equinox"):
        give = lambda: own.tap("auto")(Classifier(), VECTORS)
    else:
        give = lambda: getattr(taps, library)(Classifier())
        with pytest.raises(ValueError, match=r"^expected (variables|params) .*, got Classifier of torch$"):
            own.tap("auto")(Classifier(), VECTORS)
    with pytest.raises(ValueError, match=r"got Classifier of torch; memorize_jax.torch.extract\(model, loader\)"):
        give()


def test_params_alone_and_no_layers_are_refused():
    own = case("linen", "mlp")
    with pytest.raises(ValueError, match=r"params alone go in as {'params': params}$"):
        own.tap("auto")(own.network["params"], VECTORS)
    with pytest.raises(ValueError, match=r"^expected layers to be 'auto' or a list .*, got \[\]$"):
        taps.nnx([])


# What stands around a block in somebody's network.
class Stack(nn.Module):
    around: str

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(4, name="embed")(x)
        if self.around == "scan":
            lifted = nn.scan(
                Step, variable_axes={"params": 0, "intermediates": 0}, split_rngs={"params": True}, length=2
            )
            return nn.Dense(2, name="head")(lifted(name="steps")(x, None)[0])
        block = {"": Pair, "remat": nn.remat(Pair), "jit": nn.jit(Pair)}[self.around]
        for index in range(2):
            x, _ = block(name=f"block_{index}")(x)
        return nn.Dense(2, name="head")(x)


class Pair(nn.Module):
    @nn.compact
    def __call__(self, x):
        hidden = nn.relu(nn.Dense(4)(x))
        return x + nn.Dense(4)(hidden), {"hidden": hidden, "count": 3}


class Step(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return Pair()(x)[0], None


def test_what_a_network_of_linen_wraps_its_blocks_in():
    models = {around: Stack(around) for around in ("", "remat", "jit", "scan")}
    variables = fill(jax.eval_shape(models[""].init, jax.random.key(0), VECTORS))
    plain = taps.linen(models[""], ["block_?.0", "block_1.1.hidden"])
    assert plain.layers(variables, VECTORS) == ("block_0.0", "block_1.0", "block_1.1.hidden")
    assert taps.linen(models[""]).layers(variables, VECTORS) == ("embed", "block_0.0", "block_1.0", "output")
    wrapped = taps.linen(models["remat"], ["block_?.0", "block_1.1.hidden"])
    both = jax.jit(lambda: (plain(variables, VECTORS), wrapped(variables, VECTORS)))()
    jax.tree.map(np.testing.assert_array_equal, *both)
    with pytest.raises(ValueError, match=r"got block_1 compiled before by nn.jit, so that it cannot be shown"):
        taps.linen(models["jit"]).layers(variables, VECTORS)
    scanned = fill(jax.eval_shape(models["scan"].init, jax.random.key(0), VECTORS))
    with pytest.raises(ValueError, match=r"^layer 'steps/Pair_0.0' cannot be shown: run several times by scan or vmap"):
        taps.linen(models["scan"], "steps/Pair_0.0").layers(scanned, VECTORS)
    with pytest.warns(
        UserWarning, match=r"^layers steps/Pair_0.0 cannot be shown: run several .*; layers=\[...\] names"
    ):
        assert taps.linen(models["scan"]).layers(scanned, VECTORS) == ("head.input", "output")


class Rematted(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Linear(5, 4, rngs=rngs)
        self.block = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x):
        return nnx.remat(lambda block, x: block(x))(self.block, self.embed(x))


def test_what_a_network_keeps_to_itself_is_said():
    network = filled(lambda: Rematted(nnx.Rngs(0)))
    assert taps.nnx("*").layers(network, VECTORS) == ("embed", "output")
    with pytest.raises(ValueError, match=r"^layer 'block' cannot be shown: called inside a transformation"):
        taps.nnx("block").layers(network, VECTORS)


def test_an_nnx_model_in_training_mode_stays_in_it_and_can_be_shown_in_it():
    own = case("nnx", "resnet")
    assert own.network.dropout.deterministic is False
    trained = taps.nnx("dropout", evaluation=False)
    shown = jax.jit(lambda: trained(own.network, own.inputs))()["dropout"]
    assert (shown == 0).any()
    assert own.network.dropout.rngs.count.get_value() == 0


def test_equinox_in_training_mode_computes_over_the_batch():
    own = case("equinox", "resnet")
    shown = jax.jit(
        lambda: taps.equinox("blocks/0/norm", evaluation=False, axis_name="batch")(own.network, own.inputs)
    )()["blocks/0/norm"]
    np.testing.assert_allclose(shown.mean((0, 2, 3)), own.network[0].blocks[0].norm.bias, atol=1e-5)


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "equinox", None)
    monkeypatch.delitem(sys.modules, "memorize_jax.taps.equinox_tap", raising=False)
    with pytest.raises(ImportError, match=r"^this needs equinox: pip install 'memorize_jax\[equinox\]'$"):
        _ = taps.equinox
