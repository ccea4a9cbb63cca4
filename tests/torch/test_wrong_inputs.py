import pytest

torch = pytest.importorskip("torch")

from memorize_jax.torch import extract  # noqa: E402
from memorize_jax.torch import streaming as streaming_module  # noqa: E402
from tests.torch.networks import Network, Texts, data, network  # noqa: E402

nn = torch.nn
X, Y = data()
IDS = torch.randint(0, 20, (3, 5), generator=torch.Generator().manual_seed(0))
PADDED = {"input_ids": IDS, "attention_mask": torch.tensor(3 * [[1, 1, 1, 0, 0]])}


class Returns(nn.Module):
    """A network of one layer "part" that returns what a function makes of the inputs."""

    def __init__(self, function):
        super().__init__()
        self.part = nn.Identity()
        self.part.forward = function

    def forward(self, x):
        self.part(x)
        return x


class Sometimes(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = nn.ReLU()

    def forward(self, x):
        return self.part(self.part(x)) if len(x) == 3 else self.part(x)


def returns(function, inputs=X, **options):
    return lambda: extract(Returns(function), inputs, "part", progress=False, **options)


def given(loader, model=Network, layers="auto", pool="flatten", **options):
    return lambda: extract(network(model), loader, layers, pool, progress=False, **options)


WRONG = {
    "a function": (lambda: extract(len, X), "expected a torch.nn.Module as model, got builtin_function_or_method"),
    "meta": (
        lambda: extract(nn.Linear(2, 2, device="meta"), X),
        "parameter 'weight' holds no numbers .*; load the weights",
    ),
    "device": (
        given(X, device="cuda:7"),
        "expected a device that the model is on, cpu, got cuda:7; move the model there",
    ),
    "no loader": (given(3), "expected a DataLoader, a list of batches or a tensor as loader, got int"),
    "empty loader": (given([]), "expected at least one batch as loader, got an empty one"),
    "empty tensor": (given(X[:0]), "expected at least one batch as loader, got an empty one"),
    "three parts": (
        given([(X, Y, Y)]),
        r"batch 0: expected inputs, or \(inputs, labels\), got tuple of 3: .*call=lambda",
    ),
    "no tensors": (given([["a", "b"]]), "batch 0: expected tensors as inputs of the network, got list of 2: str, str"),
    "lengths": (given((X, Y[:-1])), "expected inputs and labels of as many examples, got 10 and 11"),
    "other labels": (
        given([(X, Y[:-1])]),
        r"batch 0: expected one label for each of 11 examples, got labels \[10\] for",
    ),
    "targets": (
        given([(X, Y.float())]),
        "batch 0: expected classes as labels, got float32; label=None if there are none",
    ),
    "no such key": (given([{"x": X}], label="fine"), "batch 0: expected a key 'fine' for the labels, got x"),
    "no labels": (
        given(X, examples_per_class=2),
        "expected labels with examples_per_class, got none; label= says where",
    ),
    "bytes": (
        given(X.byte()),
        r"the network refuses batch 0, inputs uint8 \[11, 6\] on cpu: .*call= says how to run a",
    ),
    "later batch": (given([X, X[:, :5]]), r"the network refuses batch 1, inputs float32 \[11, 5\] on cpu"),
    "unknown layer": (
        given(X, layers="fc"),
        "expected a name or pattern of layers, got 'fc', which nothing goes by; there a",
    ),
    "not called": (
        given(X, layers="unused"),
        "layer 'unused' is never called in a forward pass in evaluation mode; choose",
    ),
    "list": (
        given({"input_ids": IDS}, Texts, "layers"),
        "layer 'layers' is never called .*; parts of it that are: layers.0",
    ),
    "no second call": (
        given(X, layers="head#2"),
        "layer 'head' is not called often enough for 'head#2' in a forward pass",
    ),
    "layers": (given(X, layers=3), "expected layers to be 'auto', a name, a pattern or a list of these, got 3"),
    "pool": (
        given(X, pool="max"),
        "expected pool to be one of flatten, mean, cls, last, sample:N, a function, or a mapping",
    ),
    "pool pattern": (given(X, pool={"fc*": "mean"}), r"expected pool for layers out of stem.1, .*head, got 'fc\*'"),
    "number": (given(X, max_examples=0), "expected max_examples to be a positive integer, got 0"),
    "dtype": (given(X, dtype="float16"), "expected dtype to be float32 or float64, got 'float16'"),
    "padding": (
        given([PADDED], Texts),
        "layer 'layers.0': pool='flatten' would take padded tokens as features; pool='mean'",
    ),
    "no token": (
        given([PADDED | {"attention_mask": torch.tensor([[1] * 5, [0] * 5, [1] * 5])}], Texts, "embed", "last"),
        "layer 'embed': example 1 of a batch has an attention_mask without any token; leave it out",
    ),
    "lengths of texts": (
        given([{"input_ids": IDS}, {"input_ids": IDS[:, :4]}], Texts),
        r"layer 'layers.0' has \[5, 8\] units per example in one batch and \[4, 8\] in another; pool='mean', 'cls' or",
    ),
    "two alike": (
        returns(lambda x: (x, x)),
        r"layer 'part' returns a tuple whose entries 0 and 1 are both \[2, 6\]; pool=",
    ),
    "mapping": (
        returns(lambda x: {"mean": x, "scale": x}),
        r"layer 'part' returns a mapping with 2 tensors \(mean, scale\)",
    ),
    "no tensor first": (
        returns(lambda x: (None, x)),
        "layer 'part' returns a tuple that does not begin with a tensor; pool",
    ),
    "no tensor": (returns(lambda x: None), "layer 'part' returns NoneType, no tensor; choose another layer"),
    "scalars": (
        returns(lambda x: x[:, 0]),
        r"layer 'part' returns \[2\], not \[b, ...\] for b examples; choose another",
    ),
    "complex": (returns(lambda x: x.to(torch.complex64)), "layer 'part' returns a complex tensor; pool="),
    "tokens first": (
        returns(lambda x: x.T.contiguous()[:, :, None]),
        r"layer 'part' gives \[6, 2, 1\] for 2 examples, so its first axis is not that of the exam.*batch_first",
    ),
    "no tokens": (
        returns(lambda x: x[:, :, None, None], pool="cls"),
        r"layer 'part' returns a map \[2, 6, 1, 1\], which has no tokens; take pool='mean' or 'flatten' for it",
    ),
    "channels last": (
        returns(lambda x: x.reshape(len(x), 1, 1, 6), pool="mean"),
        r"layer 'part' returns \[2, 1, 1, 6\], which looks like channels last, and pool='mean' takes channels fi",
    ),
    "sequences": (
        lambda: extract(nn.Sequential(nn.Conv1d(3, 4, 2), nn.ReLU()), torch.randn(4, 3, 5), "1", "mean"),
        r"layer '1' returns \[2, 4, 4\], which may be \[b, channels, length\] or \[b, tokens, features\]; pool=",
    ),
    "no tensor from function": (
        returns(lambda x: x, pool=lambda x: x.numpy()),
        r"layer 'part': expected a tensor \[b, ...\] from its pool function, got ndarray",
    ),
    "sometimes": (
        given([X, X[:3]], Sometimes),
        "layer 'part' is called 1 times in one batch and 2 times in another; choose",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_it_is_said_in_a_line(call, message):
    with pytest.raises(ValueError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_what_does_not_fit_is_refused_before_the_run(monkeypatch):
    seen = []

    def refuse(what, needed, advice):
        seen.append(needed)
        raise ValueError(f"{what}: {advice}")

    monkeypatch.setattr(streaming_module, "check_fits", refuse)
    with pytest.raises(ValueError, match=r"activations of 4 layers for 11 examples: take pool='mean'.*accumulate"):
        extract(network(), X, batch_size=4)
    # float32 of 8 + 8 + 8 + 3 units, and the largest layer once more.
    assert seen == [4 * 11 * (27 + 8)]
