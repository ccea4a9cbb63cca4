import pytest

torch = pytest.importorskip("torch")

from memorize_jax.torch import extract  # noqa: E402
from tests.torch.networks import Residual  # noqa: E402

nn = torch.nn


class Stage(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.Sequential(Residual(6), Residual(6))

    def forward(self, x):
        return self.parts(x)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([Residual(6), Residual(6)])

    def forward(self, x):
        return self.branches[0](x) + self.branches[1](x)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        return self.second(self.first(x).relu())


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.ReLU()
        self.two = self.one

    def forward(self, x):
        return self.two(self.one(x) - 1)


def auto(model, shape=(4, 6)):
    return list(extract(model, torch.randn(shape, generator=torch.Generator().manual_seed(0)), progress=False).layers)


def test_auto_takes_blocks_nonlinearities_and_the_output():
    plain = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.GELU(), nn.Dropout(), nn.Linear(6, 2))
    assert auto(plain) == ["1", "3", "5"]
    # A stage returns what its last block returns; branches do not.
    assert auto(nn.Sequential(Stage(), Stage())) == ["0.parts.0", "0.parts.1", "1.parts.0", "1.parts.1"]
    assert auto(nn.Sequential(Branches(), Residual(6))) == ["0", "1"]
    assert auto(Shared()) == ["one", "one#2"]
    assert auto(nn.Sequential(nn.LSTM(6, 3, batch_first=True)), (4, 5, 6)) == ["0"]
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 4, batch_first=True), 2, nn.LayerNorm(6))
    assert auto(encoder, (4, 5, 6)) == ["layers.0", "layers.1", "norm"]


def test_the_order_is_that_of_the_forward_pass():
    model = nn.ModuleDict({"late": nn.ReLU(), "early": nn.Tanh()})
    model.forward = lambda x: model["late"](model["early"](x))
    assert auto(model) == ["early", "late"]


def test_functions_are_warned_of():
    with pytest.warns(
        UserWarning, match="takes the outputs of first, second: these are before any function such as F.re"
    ):
        assert auto(Functional()) == ["first", "second"]


def test_a_pattern_takes_what_is_called():
    x = torch.randn(4, 6)
    model = nn.Sequential(Stage())
    assert list(extract(model, x, "0.parts*", progress=False).layers)[-2:] == ["0.parts.1", "0.parts"]
    with pytest.raises(
        ValueError, match="'two' is the same module as 'one'; ask for 'one', its second call is 'one#2'"
    ):
        extract(Shared(), x, "two")
