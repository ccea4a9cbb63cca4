"""A network that is being trained is evaluated all the same: whatever keyword its call takes for that."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import Watch, taps
from memorize_jax.adapters.adapt import adapt
from memorize_jax.taps.modes import evaluation_keywords
from tests.watching.made import SIZES, data

INPUTS = data().images[:8]


def nnx_network():
    """A network whose call hands its mode on, so that `eval()` alone changes nothing."""
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first, self.norm = nnx.Linear(*SIZES[:2], rngs=rngs), nnx.BatchNorm(SIZES[1], rngs=rngs)
            self.drop, self.last = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(SIZES[1], SIZES[-1], rngs=rngs)

        def __call__(self, x, train=True):
            x = nnx.relu(self.norm(self.first(x), use_running_average=not train))
            return self.last(self.drop(x, deterministic=not train))

    return Net()


def haiku_network():
    hk = pytest.importorskip("haiku")

    def forward(x, is_training=True):
        x = jax.nn.relu(hk.BatchNorm(True, True, 0.9)(hk.Linear(SIZES[1])(x), is_training))
        return hk.Linear(SIZES[-1])(x)

    network = hk.transform_with_state(forward)
    return network, network.init(jax.random.key(0), INPUTS)


def answers(given, model):
    network = adapt(model, INPUTS[:2], given=given)
    return network, np.asarray(network.apply(network.split(model), INPUTS))


def test_nnx_is_evaluated_though_its_call_says_how_it_trains():
    model = nnx_network()
    expected = np.asarray(model(INPUTS, train=False))
    np.testing.assert_allclose(answers(None, model)[1], expected, rtol=1e-5)
    np.testing.assert_allclose(taps.nnx()(model, INPUTS)["output"], expected, rtol=1e-5)
    # What is asked for goes first.
    trained = taps.nnx()(model, INPUTS, train=True)["output"]
    assert np.abs(np.asarray(trained) - expected).max() > 0.1
    assert not np.allclose(taps.nnx()(model, INPUTS, True)["output"], expected, atol=0.1)


def test_haiku_is_evaluated_though_its_function_says_how_it_trains():
    network, (params, state) = haiku_network()
    expected = network.apply(params, state, None, INPUTS, is_training=False)[0]
    np.testing.assert_allclose(answers(network, (params, state))[1], expected, rtol=1e-5)


def test_equinox_is_evaluated_though_its_call_says_how_it_trains():
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        linear: eqx.nn.Linear
        drop: eqx.nn.Dropout

        def __call__(self, x, inference=False):
            return self.drop(self.linear(x), key=jax.random.key(0), inference=inference)

    model = Net(eqx.nn.Linear(SIZES[0], SIZES[-1], key=jax.random.key(0)), eqx.nn.Dropout(0.5))
    expected = jax.vmap(lambda x: model(x, inference=True))(INPUTS)
    np.testing.assert_allclose(taps.equinox()(model, INPUTS)["output"], expected, rtol=1e-5)


def test_keywords_are_those_that_a_call_takes_and_was_not_given():
    call = lambda x, train, deterministic=False, *, other=1: x
    assert evaluation_keywords(call, given={}) == {"train": False, "deterministic": True}
    assert evaluation_keywords(call, INPUTS, True, given={"deterministic": False}) == {}
    assert evaluation_keywords(lambda x, **options: x, given={}) == {}


def test_a_network_that_no_keyword_stops_from_training_is_refused(tmp_path):
    normalized = lambda params, x: ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-5)) @ params["last"]["kernel"]
    given = dict(zip(("images", "labels", "true_labels", "test_images", "test_labels"), data(), strict=True))
    watch = Watch(tmp_path / "run", **given, network=normalized, every=0)
    params = {"last": {"kernel": jnp.ones((SIZES[0], SIZES[-1]))}}
    for _ in range(2):
        with pytest.raises(ValueError, match="expected answers that do not depend on the other examples of a batch"):
            watch(0, params)
    assert not (tmp_path / "run" / "metrics.csv").exists()
