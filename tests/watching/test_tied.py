"""What two layers of a PyTorch network share, a weight or a norm: it is rewound with the first, as one tensor."""

import copy

import numpy as np
import pytest

from memorize_jax.adapters.adapt import adapt

torch = pytest.importorskip("torch")


class Tied(torch.nn.Module):
    """Two hidden layers of one weight and biases of their own."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = (torch.nn.Linear(6, out) for out in (6, 6, 3))
        self.second.weight = self.first.weight

    def forward(self, inputs):
        return self.last(torch.relu(self.second(torch.relu(self.first(inputs)))))


class TiedNorm(torch.nn.Module):
    """Two hidden layers with one batch normalization."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = (torch.nn.Linear(6, out) for out in (6, 6, 3))
        self.norm = self.same = torch.nn.BatchNorm1d(6)

    def forward(self, inputs):
        return self.last(torch.relu(self.same(self.second(torch.relu(self.norm(self.first(inputs)))))))


def network_of(model):
    return adapt(model, np.ones((2, 6), np.float32), layers=["first", "second", "last"])


def test_a_shared_weight_is_held_once_and_put_where_it_is_used():
    torch.manual_seed(0)
    model = Tied()
    network = network_of(model)
    variables = network.split(model)
    assert {module: set(own) for module, own in variables["params"].items()} == {
        "first": {"weight", "bias"},
        "second": {"bias"},
        "last": {"weight", "bias"},
    }
    assert variables["batch_stats"] == {}
    back = network.merge(variables)
    assert back.second.weight is back.first.weight
    inputs = torch.rand(4, 6)
    np.testing.assert_array_equal(back(inputs).detach(), model.eval()(inputs).detach())


def test_rewinding_the_first_layer_moves_the_shared_weight():
    torch.manual_seed(0)
    model = Tied()
    network = network_of(model)
    early, late = copy.deepcopy(model), model
    with torch.no_grad():
        late.first.weight.mul_(2.0)
    rewound = {**network.split(late), "params": {**network.split(late)["params"]}}
    rewound["params"]["first"] = network.split(early)["params"]["first"]
    inputs = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    np.testing.assert_allclose(network.apply(rewound, inputs), early(torch.from_numpy(inputs)).detach(), rtol=1e-5)


def test_rewinding_a_shared_norm_moves_its_statistics():
    torch.manual_seed(0)
    late = TiedNorm()
    network = adapt(late, np.ones((2, 6), np.float32), layers=["norm", "last"])
    early = copy.deepcopy(late)
    late.norm.running_mean.fill_(2.0)
    late.norm.running_var.fill_(9.0)
    held = network.split(late)
    assert set(held["batch_stats"]) == {"norm"}
    assert set(held["params"]) == {"first", "norm", "second", "last"}
    rewound = {**held, "batch_stats": network.split(early)["batch_stats"]}
    inputs = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    expected = early.eval()(torch.from_numpy(inputs)).detach()
    np.testing.assert_allclose(network.apply(rewound, inputs), expected, rtol=1e-5)
    # The name that stands for both wins over what was stored under the other.
    rewound["batch_stats"]["same"] = held["batch_stats"]["norm"]
    np.testing.assert_allclose(network.apply(rewound, inputs), expected, rtol=1e-5)


def test_networks_that_were_stored_with_both_names_are_read_as_before():
    torch.manual_seed(0)
    network = network_of(model := Tied())
    variables = network.split(model)
    variables["batch_stats"] = {"second": {"weight": np.zeros((6, 6), np.float32)}}
    np.testing.assert_array_equal(network.merge(variables).second.weight.detach(), model.first.weight.detach())
