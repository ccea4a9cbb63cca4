"""Networks of other kinds of numbers than float32, and those that come with a state beside them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import Watch
from memorize_jax.adapters.adapt import adapt
from tests.watching import made
from tests.watching.made import SIZES, data
from tests.watching.test_watch import watch_in


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("images", [np.float64, np.float32, jnp.bfloat16])
def test_inputs_of_a_torch_model_become_of_its_kind(dtype, images, tmp_path):
    torch = pytest.importorskip("torch")
    model = made.torch().model.to(getattr(torch, dtype))
    given = data()
    converted = given._replace(images=given.images.astype(images), test_images=given.test_images.astype(images))
    names = ("images", "labels", "true_labels", "test_images", "test_labels")
    row = Watch(tmp_path / "run", **dict(zip(names, converted, strict=True)), every=0)(0, model)
    with torch.no_grad():
        inputs = torch.from_numpy(converted.images.astype(np.float32)).to(getattr(torch, dtype))
        answers = model.eval()(inputs).float()
    expected = torch.nn.functional.cross_entropy(answers, torch.from_numpy(given.labels).long()).item()
    assert row["loss"] == pytest.approx(expected, rel=1e-5 if dtype == "float64" else 0.02)


def test_whole_numbers_stay_what_a_torch_model_looks_up():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    tokens = np.array([[1, 2], [8, 0]])
    network = adapt(model, tokens)
    expected = model(torch.from_numpy(tokens)).detach()
    np.testing.assert_allclose(network.apply(network.split(model), tokens), expected, rtol=1e-5)


def test_equinox_is_watched_with_its_state(tmp_path):
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        first: eqx.nn.Linear
        norm: eqx.nn.BatchNorm
        last: eqx.nn.Linear

        def __init__(self, key):
            one, two = jax.random.split(key)
            self.first, self.last = eqx.nn.Linear(*SIZES[:2], key=one), eqx.nn.Linear(SIZES[1], SIZES[-1], key=two)
            self.norm = eqx.nn.BatchNorm(SIZES[1], "batch", mode="ema", momentum=0.1)

        def __call__(self, x, state):
            hidden, state = self.norm(self.first(x), state)
            return self.last(jax.nn.relu(hidden)), state

    given = data()
    model, start = eqx.nn.make_with_state(Net)(jax.random.key(0))
    train = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
    states = [train(given.images, start)[1]]
    states.append(train(3 * given.images + 1, states[0])[1])

    def answers(state, images):
        evaluated = eqx.nn.inference_mode(model)
        return np.asarray(jax.vmap(lambda x: evaluated(x, state)[0], axis_name="batch")(images))

    expected = [np.mean(answers(state, given.test_images).argmax(axis=1) == given.test_labels) for state in states]
    losses = [-jax.nn.log_softmax(answers(state, given.images))[np.arange(48), given.labels].mean() for state in states]
    watch = watch_in(tmp_path / "run", None)
    rows = [watch(epoch, (model, state)) for epoch, state in enumerate(states)]
    assert [row["test_accuracy"] for row in rows] == expected
    np.testing.assert_allclose([row["loss"] for row in rows], losses, rtol=1e-5)
    assert abs(losses[0] - losses[1]) > 0.01
    assert "norm" in watch.run.network(0)["batch_stats"]
    _, brought = watch.load((model, states[1]), epoch=0)
    np.testing.assert_array_equal(answers(brought, given.images), answers(states[0], given.images))
