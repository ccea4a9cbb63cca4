import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memorize_jax.torch import accumulate, extract, stream  # noqa: E402
from tests.torch.networks import Texts, by_hand, data, loader, network  # noqa: E402

AUTO = ["stem.1", "blocks.0", "blocks.1", "head"]


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_it_equals_hooks_written_by_hand_to_the_bit():
    model = network()
    layers, labels = extract(model, loader(), progress=False)
    assert_equal(layers, by_hand(model, AUTO, (x for x, _ in loader())))
    np.testing.assert_array_equal(labels, np.arange(11) % 3)
    assert_equal(extract(model, loader(), progress=False).layers, layers)


def test_operations_in_place_afterward_change_nothing():
    model = network()
    names = ["stem.0", "blocks.0.norm", "blocks.0.second"]
    found = extract(model, data()[0], names, progress=False, batch_size=11).layers
    assert_equal(found, by_hand(model, names, [data()[0]]))
    assert (found["stem.0"] < 0).any()


def test_a_module_called_several_times_is_told_apart():
    model = network()
    calls = []
    model.blocks[0].relu.register_forward_hook(lambda module, inputs, output: calls.append(output.clone().numpy()))
    x = data()[0][:4]
    found = extract(model, x, "blocks.0.relu", progress=False).layers
    assert list(found) == ["blocks.0.relu", "blocks.0.relu#2"]
    # Two passes over two examples went ahead.
    np.testing.assert_array_equal(found["blocks.0.relu"], calls[-2])
    np.testing.assert_array_equal(found["blocks.0.relu#2"], calls[-1])
    assert list(extract(model, x, ["*.relu#2"], progress=False).layers) == ["blocks.0.relu#2", "blocks.1.relu#2"]
    assert list(extract(model, x, ["head", "stem.1"], progress=False).layers) == ["stem.1", "head"]


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_and_all_random_numbers_are_left_as_they_were(fails):
    model = network().train()
    model.blocks[1].eval()
    modes = {name: module.training for name, module in model.named_modules()}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    numbers = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    shuffled = loader(shuffle=True, generator=torch.Generator().manual_seed(3))
    own = shuffled.generator.get_state()
    seen = []

    def breaks(module, inputs, output):
        seen.append(len(output))
        np.random.rand(), random.random(), torch.rand(1)
        if fails and len(seen) == 4:
            raise KeyboardInterrupt

    handle = model.head.register_forward_hook(breaks)
    if fails:
        with pytest.raises(KeyboardInterrupt):
            extract(model, shuffled, progress=False)
    else:
        assert len(extract(model, shuffled, progress=False).labels) == 11
    handle.remove()
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not [module for module in model.modules() if module._forward_hooks]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), numbers[0])
    np.testing.assert_array_equal(np.random.get_state()[1], numbers[1])
    assert random.getstate() == numbers[2]
    assert torch.equal(shuffled.generator.get_state(), own)


def test_between_batches_the_network_is_as_it_was():
    model = network().train()
    batches = stream(model, loader())
    next(batches)
    assert model.training
    assert torch.is_grad_enabled()
    assert not model.head._forward_hooks
    batches.close()


def test_what_a_loader_may_yield():
    model, (x, y) = network(), data()
    expected = extract(model, (x, y), progress=False, batch_size=11)
    same = {"progress": False, "batch_size": 11}
    pairs = [(x[:4], y[:4]), [x[4:8], y[4:8].tolist()], (x[8:].double().numpy(), y[8:].numpy())]
    for given in (x, x.numpy().astype(float), torch.utils.data.TensorDataset(x, y), iter(pairs), {"x": x, "label": y}):
        found = extract(model, given, **same)
        for name, values in expected.layers.items():
            np.testing.assert_allclose(found.layers[name], values, atol=1e-6)
        assert (
            found.labels is None if given is x or isinstance(given, np.ndarray) else (found.labels == y.numpy()).all()
        )
    triples = [(x, torch.zeros(11), y)]
    found = extract(model, triples, label=2, call=lambda model, batch: model(batch[0]), **same)
    assert_equal(found.layers, expected.layers)
    np.testing.assert_array_equal(found.labels, y)
    named = extract(model, [(x, y)], label=lambda batch: np.array(["a", "b", "c"])[batch[1]], **same)
    assert named.labels[:4].tolist() == ["a", "b", "c", "a"]
    assert extract(model, [(x, y.float())], label=None, **same).labels is None


def test_how_many_examples_are_taken():
    model = network()
    every = extract(model, loader(), progress=False)
    few = extract(model, loader(), progress=False, max_examples=6)
    assert_equal(few.layers, {name: values[:6] for name, values in every.layers.items()})
    of_each = extract(model, loader(), progress=False, examples_per_class=2)
    assert_equal(of_each.layers, few.layers)
    assert of_each.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert extract(model, loader(), progress=False, examples_per_class=9, max_examples=5).labels.tolist() == [
        0,
        1,
        2,
        0,
        1,
    ]


def test_half_precision_becomes_float32_and_double_may_stay():
    model = network().to(torch.bfloat16)
    found = extract(model, data()[0], progress=False).layers
    assert_equal(found, by_hand(model, AUTO, [data()[0].to(torch.bfloat16)]))
    wide = extract(network().double(), data()[0], progress=False, dtype="float64").layers
    assert {values.dtype.name for values in wide.values()} == {"float64"}


def test_wrapped_networks_are_unwrapped():
    model = network()
    expected = extract(model, data()[0], progress=False).layers
    assert_equal(extract(torch.nn.DataParallel(model), data()[0], progress=False).layers, expected)


def test_it_streams_into_an_accumulator():
    class Kept(list):
        def add(self, layers, labels):
            self.append((layers, labels))

    kept = accumulate(network(), loader(), Kept(), "head")
    assert [len(labels) for _, labels in kept] == [4, 4, 3]
    every = extract(network(), loader(), "head", progress=False)
    np.testing.assert_array_equal(np.concatenate([layers["head"] for layers, _ in kept]), every.layers["head"])


def test_an_encoder_of_tokens_first_is_warned_of():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.TransformerEncoderLayer(8, 2, 8))
    with pytest.warns(
        UserWarning, match="layers '0': an example is not the same in a small batch and in a large one; ei"
    ):
        extract(model, torch.randn(5, 4, 8), progress=False)


def test_the_bar_says_how_much_it_will_be(capsys):
    extract(network(), loader())
    said = capsys.readouterr().err
    assert "4 layers, stem.1 to head, 1.19 kB" in said
    assert "11/11" in said


def test_a_mapping_goes_in_and_out():
    ids = torch.randint(0, 20, (6, 5), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    model = network(Texts)
    given = {"input_ids": ids, "attention_mask": mask, "label": torch.arange(6), "text": list("abcdef")}
    found = extract(model, [given], progress=False)
    assert list(found.layers) == ["layers.0", "layers.1"]
    with torch.no_grad():
        expected = model.eval()(ids, mask)["last_hidden_state"].numpy()
    np.testing.assert_allclose(found.layers["layers.1"], expected, atol=1e-6)
    assert found.labels.tolist() == [0, 1, 2, 3, 4, 5]
