"""Small networks of PyTorch, and hooks written by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.norm, self.relu = nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
        self.second = nn.Linear(width, width)

    def forward(self, x):
        out = self.relu(self.norm(self.first(x)))
        # Changes what `second` returned.
        return self.relu(self.second(out).add_(x))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(Residual(8), Residual(8))
        self.dropout, self.head, self.unused = nn.Dropout(), nn.Linear(8, 3), nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.dropout(self.blocks(self.stem(x))))


class Texts(nn.Module):
    """Tokens, mixed by attention in blocks that return tuples; a dict goes in and comes out."""

    def __init__(self, *, batch_first=True):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        mixed = {"dim_feedforward": 8, "batch_first": batch_first, "dropout": 0.0}
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, **mixed) for _ in range(2))

    def forward(self, input_ids, attention_mask=None):
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=None if attention_mask is None else ~attention_mask.bool())
        return {"last_hidden_state": x, "pooled": x[:, 0]}


def network(make=Network):
    torch.manual_seed(0)
    return make()


def data(count=11):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 6, generator=generator), torch.arange(count) % 3


def loader(count=11, batch_size=4, **options):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data(count)), batch_size, **options)


def by_hand(model, names, batches):
    """What anybody writes: hooks that clone."""
    found = {name: [] for name in names}
    hooks = [
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: found[name].append(output.detach().clone())
        )
        for name in names
    ]
    model.eval()
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for hook in hooks:
        hook.remove()
    return {name: np.asarray(torch.cat(parts).cpu().float()) for name, parts in found.items()}
