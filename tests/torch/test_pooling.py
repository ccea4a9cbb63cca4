import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memorize_jax.torch import extract  # noqa: E402
from memorize_jax.torch.pooling import units  # noqa: E402
from tests.torch.networks import Texts, network  # noqa: E402

# Padding on the right, on the left, none.
MASK = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
IDS = torch.randint(0, 20, (3, 5), generator=torch.Generator().manual_seed(0))


def texts(pool, **given):
    batch = {"input_ids": IDS, "attention_mask": MASK} | given
    return extract(network(Texts), [batch], ["layers.1"], pool, progress=False).layers["layers.1"]


def test_padding_is_never_taken():
    whole = texts(lambda output: output)
    np.testing.assert_array_equal(texts("cls"), whole[[0, 1, 2], [0, 2, 0]])
    np.testing.assert_array_equal(texts("last"), whole[[0, 1, 2], [1, 4, 4]])
    mean = [whole[0, :2].mean(0), whole[1, 2:].mean(0), whole[2].mean(0)]
    np.testing.assert_allclose(texts("mean"), mean, atol=1e-6)
    # Without a mask all tokens count.
    plain = texts(lambda output: output, attention_mask=torch.ones_like(MASK))
    np.testing.assert_array_equal(texts("last", attention_mask=torch.ones_like(MASK)), plain[:, -1])


def test_other_tokens_in_the_padding_change_nothing():
    others = torch.where(MASK == 1, IDS, (IDS + 7) % 20)
    for pool in ("mean", "last", "cls"):
        np.testing.assert_allclose(texts(pool), texts(pool, input_ids=others), atol=1e-6)


def convolutions():
    torch.manual_seed(0)
    nn = torch.nn
    parts = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 2)]
    return nn.Sequential(*parts), torch.randn(6, 3, 8, 8)


def test_maps_are_pooled_over_positions():
    model, images = convolutions()
    flat = extract(model, images, progress=False).layers
    assert {name: values.shape for name, values in flat.items()} == {"1": (6, 4, 6, 6), "3": (6, 5, 4, 4), "5": (6, 2)}
    mean = extract(model, images, pool="mean", progress=False).layers
    np.testing.assert_allclose(mean["1"], flat["1"].mean((2, 3)), rtol=1e-6)
    np.testing.assert_array_equal(mean["5"], flat["5"])
    some = extract(model, images, pool={"3": "sample:7", "[12]": "mean"}, progress=False).layers
    np.testing.assert_array_equal(some["1"], mean["1"])
    np.testing.assert_array_equal(some["5"], flat["5"])
    chosen = units(80, 7, 0)
    np.testing.assert_array_equal(some["3"], flat["3"].reshape(6, -1)[:, chosen])
    assert len(np.unique(chosen)) == 7
    other = extract(model, images, "3", "sample:7", seed=1, progress=False).layers["3"]
    assert not np.array_equal(other, some["3"])


def test_the_units_are_those_that_analyze_takes():
    pooling = pytest.importorskip("memorize_jax.own_activations.pooling")
    model, images = convolutions()
    flat = extract(model, images, "3", progress=False).layers["3"]
    sampled = extract(model, images, "3", "sample:7", progress=False).layers["3"]
    np.testing.assert_array_equal(sampled, pooling.pool_units(flat, "sample:7", "3"))


SEQUENCES = (torch.nn.Sequential(torch.nn.Conv1d(1, 6, 3, padding=1), torch.nn.ReLU()), torch.randn(4, 1, 9))
RECTANGLES = (torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3, padding=1), torch.nn.ReLU()), torch.randn(4, 1, 5, 9))


@pytest.mark.parametrize(("model", "inputs"), [SEQUENCES, RECTANGLES], ids=["sequences", "rectangles"])
@pytest.mark.parametrize("pool", ["flatten", lambda output: output], ids=["flatten", "function"])
def test_what_may_have_channels_first_is_not_pooled_afterward(model, inputs, pool):
    """NumPy's shape does not tell channels from positions, and a mean over channels would be a plausible number."""
    analyze = pytest.importorskip("memorize_jax.own_activations.analyze").analyze
    layers = extract(model, inputs, ["1"], pool, progress=False).layers
    with pytest.raises(ValueError, match=r"of layer '1', got \(4, 6, .*; give pool= to memorize_jax.torch.extract"):
        analyze(layers, [0, 1, 0, 1], pool="mean")


def test_tokens_are_pooled_afterward_as_in_the_network():
    """Without convolutions over a sequence three axes are tokens, which `analyze` knows how to pool."""
    pooling = pytest.importorskip("memorize_jax.own_activations.arrays")
    real = (MASK == 1).numpy()
    whole = {"layers.1": texts(lambda output: output)}
    for pool in ("mean", "cls", "last"):
        found = pooling.read_layers(whole, 3, pool=pool, tokens=real)
        np.testing.assert_allclose(found["layers.1"], texts(pool), atol=1e-6)
