"""Which output of a network is its answers, told by name or by width; a wrong one is refused or warned of."""

import jax
import numpy as np
import pytest

from memorize_jax.adapters.adapt import adapt
from memorize_jax.adapters.answers import answer_among, check_last
from tests.watching.made import SIZES, data
from tests.watching.test_watch import watch_in

INPUTS, CLASSES, WIDTH = data().images[:4], SIZES[-1], SIZES[1]
# What a network returns of its logits and features.
RETURNS = {
    "logits first": lambda logits, features: (logits, features),
    "features first": lambda logits, features: (features, logits),
    "a list": lambda logits, features: [logits, features],
    "logits by name": lambda logits, features: {"logits": logits, "z": features},
    "answers by another name": lambda logits, features: {"answers": logits, "z": features},
    "another array as wide": lambda logits, features: {"logits": logits, "z": 2 * logits, "zz": features},
}


def nnx(returned):
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first, self.last = nnx.Linear(SIZES[0], WIDTH, rngs=rngs), nnx.Linear(WIDTH, CLASSES, rngs=rngs)

        def __call__(self, x):
            features = nnx.relu(self.first(x))
            return returned(self.last(features), features)

    return Net(), None, "kernel"


def linen(returned):
    import flax.linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            features = nn.relu(nn.Dense(WIDTH, name="first")(x))
            return returned(nn.Dense(CLASSES, name="last")(features), features)

    net = Net()
    return net.init(jax.random.key(0), INPUTS), net, "kernel"


def equinox(returned):
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        first: eqx.nn.Linear
        last: eqx.nn.Linear

        def __call__(self, x):
            features = jax.nn.relu(self.first(x))
            return returned(self.last(features), features)

    keys = jax.random.split(jax.random.key(0))
    linear = lambda place, *sizes: eqx.nn.Linear(*sizes, key=keys[place])
    return Net(linear(0, SIZES[0], WIDTH), linear(1, WIDTH, CLASSES)), None, "weight"


def haiku(returned):
    hk = pytest.importorskip("haiku")

    def forward(x):
        features = jax.nn.relu(hk.Linear(WIDTH, name="first")(x))
        return returned(hk.Linear(CLASSES, name="last")(features), features)

    net = hk.without_apply_rng(hk.transform(forward))
    return net.init(jax.random.key(0), INPUTS), net, "w"


def torch(returned):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.relu = torch.nn.Linear(SIZES[0], WIDTH), torch.nn.ReLU()
            self.last = torch.nn.Linear(WIDTH, CLASSES)

        def forward(self, x):
            features = self.relu(self.first(x))
            return returned(self.last(features), features)

    torch.manual_seed(0)
    return Net(), None, "weight"


LIBRARIES = {made.__name__: made for made in (nnx, linen, equinox, haiku, torch)}


def by_hand(variables, matrix, x):
    """The logits of the two layers, in NumPy."""
    for module in ("first", "last"):
        own = {name: np.asarray(value) for name, value in variables["params"][module].items()}
        turned = own[matrix].T if matrix == "weight" else own[matrix]
        x = x @ turned + own["b" if matrix == "w" else "bias"]
        x = np.maximum(x, 0) if module == "first" else x
    return x


@pytest.mark.parametrize("returns", RETURNS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_of_several_outputs_the_logits_are_the_answers(library, returns):
    model, given, matrix = LIBRARIES[library](RETURNS[returns])
    network = adapt(model, INPUTS, given=given, num_classes=CLASSES)
    variables = network.split(model)
    expected = by_hand(variables, matrix, INPUTS)
    np.testing.assert_allclose(network.apply(variables, INPUTS), expected, rtol=1e-4, atol=1e-5)
    # The features lie before the layer that makes logits of them.
    assert list(network.layers.values()) == [("first",), ("last",)]


def test_other_outputs_are_layers_where_they_are_made_if_they_are_asked_for():
    model, _, _ = nnx(RETURNS["logits first"])
    network = adapt(model, INPUTS, layers="output.1", num_classes=CLASSES)
    assert network.layers == {"output.1": ("first",), "output.0": ("last",)}


def test_the_answers_are_shown_whatever_pattern_says_which_layers_are():
    model, _, _ = nnx(lambda logits, features: logits)
    network = adapt(model, INPUTS, layers="first", num_classes=CLASSES)
    assert network.layers == {"first": ("first",), "output": ("last",)}


@pytest.mark.parametrize("library", LIBRARIES)
def test_outputs_that_cannot_be_told_apart_are_refused_by_their_shapes(library):
    message = r"got output\.0 \[4, 3\], output\.1 \[4, 3\]; return the logits alone, or in a dict as 'logits'"
    model, given, _ = LIBRARIES[library](lambda logits, features: (logits, 2 * logits))
    with pytest.raises(ValueError, match=message):
        adapt(model, INPUTS, given=given, num_classes=CLASSES)


def test_answers_are_told_by_name_before_width():
    assert answer_among({"output": (4, 9)}, 3) == "output"
    assert answer_among({"output.a": (4, 3), "output.logits": (4, 9)}, 3) == "output.logits"
    assert answer_among({"output.0": (4, 3, 1), "output.1": (4, 3)}, 3) == "output.1"
    for shapes in ({"output.0": (4, 8), "output.1": (4, 9)}, {}):
        with pytest.raises(ValueError, match="expected one output of the network to be named 'logits'"):
            answer_among(shapes, 3)


def test_of_a_function_the_answers_are_last_or_named_so(tmp_path):
    params = {"kernel": np.eye(SIZES[0], CLASSES, dtype=np.float32)}
    logits_first = lambda params, x: {"logits": x @ params["kernel"], "h": x}
    network = adapt(params, INPUTS, given=logits_first, num_classes=CLASSES)
    assert list(network.layers) == ["h", "logits"]
    np.testing.assert_allclose(network.apply(network.split(params), INPUTS), INPUTS[:, :CLASSES])
    with pytest.raises(ValueError, match=r"as the last layer, or named 'logits', got answers \[2, 3\], h \[2, 6\]"):
        watch_in(tmp_path / "run", lambda params, x: {"answers": x @ params["kernel"], "h": x})(0, params)
    for shapes, width in (({"a": (4, 5), "b": (4, 2)}, 3), ({"logits": (4, 3), "b": (4, 6)}, 3)):
        with pytest.raises(ValueError, match="as the last layer, or named 'logits'"):
            check_last(shapes, width)
    # A head of more classes is one where no other layer has as many as there are.
    check_last({"a": (4, 5), "b": (4, 1000)}, 3)
    check_last({"a": (4, 3), "logits": (4, 1000)}, 3)


@pytest.mark.parametrize("library", LIBRARIES)
def test_answers_that_are_too_many_are_warned_of(library, tmp_path):
    model, given, _ = LIBRARIES[library](lambda logits, features: features)
    with pytest.warns(UserWarning, match="the network answers with 8 numbers for 3 classes"):
        watch_in(tmp_path / "run", given)(0, model)
