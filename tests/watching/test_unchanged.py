"""What a network answers is evaluated by its parameters and buffers: anything else of it that changes is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.watching.made import SIZES, data
from tests.watching.test_watch import watch_in

REFUSED = "expected answers that depend on parameters and buffers alone"


def torch_network():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.relu, self.linear = torch.nn.ReLU(), torch.nn.Linear(SIZES[0], SIZES[-1])
            self.drop, self.temperature = torch.nn.Dropout(), 1.0
            self.register_buffer("scale", torch.ones(SIZES[-1]), persistent=False)

        def forward(self, x):
            return self.linear(self.drop(self.relu(x))) * self.scale / self.temperature

    torch.manual_seed(0)
    return Net()


def nnx_network():
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.linear, self.drop = nnx.Linear(SIZES[0], SIZES[-1], rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
            self.temperature = 1.0

        def __call__(self, x):
            return self.linear(self.drop(x)) / self.temperature

    return Net()


def equinox_network(static=1.0, leaf=1.0):
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        linear: eqx.nn.Linear
        static: float = eqx.field(static=True)
        leaf: float

        def __call__(self, x):
            return self.linear(x) / self.static / self.leaf

    return Net(eqx.nn.Linear(SIZES[0], SIZES[-1], key=jax.random.key(0)), static, leaf)


def attribute(net):
    net.temperature = 5.0
    return net


def buffer(net):
    net.scale += 4.0
    return net


CHANGES = {
    "an attribute of torch": (torch_network, attribute),
    "a buffer of torch that is not stored": (torch_network, buffer),
    "an attribute of nnx": (nnx_network, attribute),
    "a static field of equinox": (equinox_network, lambda net: equinox_network(static=5.0)),
    "a number of equinox": (equinox_network, lambda net: equinox_network(leaf=5.0)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_beside_parameters_and_buffers_is_refused_and_not_stored(change, tmp_path):
    make, changed = CHANGES[change]
    watch, net = watch_in(tmp_path / "run", None), make()
    watch(0, net)
    with pytest.raises(ValueError, match=REFUSED):
        watch(1, changed(net))
    assert watch.run.stored_epochs == [0]
    watch(1, make())


def test_a_model_of_torch_is_asked_without_a_trace():
    torch = pytest.importorskip("torch")
    from memorize_jax.adapters.adapt import adapt

    net, inputs = torch_network(), data().images[:2]
    network = adapt(net, inputs)
    net.drop.eval()
    before = torch.get_rng_state()
    expected = np.maximum(inputs, 0) @ net.linear.weight.detach().numpy().T + net.linear.bias.detach().numpy()
    np.testing.assert_allclose(network.own_answers(net, inputs), expected, rtol=1e-4, atol=1e-5)
    assert (net.training, net.drop.training, net.linear.training) == (True, False, True)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_variables_that_are_applied_by_a_function_are_not_asked_twice(tmp_path):
    scale = [1.0]
    watch = watch_in(tmp_path / "run", lambda params, x: x @ params["last"]["kernel"] * scale[0])
    assert watch(0, {"last": {"kernel": jnp.ones((SIZES[0], SIZES[-1]))}})
    assert watch._network.own_answers(None, None) is None
