"""The parts of the gradient by equation 15, by PyTorch's automatic differentiation in float64."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.recomputed.compared import Recomputed
from benchmarks.recomputed.network import layers_of, parameters, scale_of, scaled
from memorize_jax.runs.run import Run

PARTS = ("full", "dep", "ind")
# Largest relative difference: ours are float32.
ROUNDING = 2e-3


def gradient_rows(run: Run, rng: np.random.Generator, number: int) -> Iterator[Recomputed]:
    """Squared norms of the parts of equation 15 at one epoch, by automatic differentiation in float64."""
    table = run.table("gradients")
    table = table[(table["form"] == "eq15") & (table["weighting"] == "subset") & (table["centering"] == "dataset")]
    epoch = int(rng.choice(table["epoch"].unique()))
    table = table[(table["epoch"] == epoch) & table["part"].isin(PARTS)]
    own = {
        name: {part: a.requires_grad_() for part, a in arrays.items()}
        for name, arrays in parameters(run.network(epoch)).items()
    }
    groups = {
        "all": np.ones(len(run.labels.true), bool),
        "unpermuted": ~run.labels.is_permuted,
        "permuted": run.labels.is_permuted,
    }
    found = {group: _gradient_parts(run, own, chosen) for group, chosen in groups.items() if chosen.any()}
    uniform = _gradient_parts(run, own, groups["all"])[2]
    for _, stored in table.sample(min(number, len(table)), random_state=int(rng.integers(2**31))).iterrows():
        assigned, model, _ = found[stored["group"]]
        pairs = {"full": (model, assigned), "dep": (uniform, assigned), "ind": (model, uniform)}[stored["part"]]
        norm = sum(
            float(((one - other) ** 2).sum()) for one, other in zip(*(of[stored["layer"]] for of in pairs), strict=True)
        )
        row = f"epoch {epoch}, {stored['layer']}, {stored['group']}, {stored['part']}"
        yield Recomputed("gradients", row, "squared_norm", stored["squared_norm"], norm, ROUNDING * norm)


def _gradient_parts(run, own, chosen) -> list[dict[str, list[torch.Tensor]]]:
    """Layer -> gradients of the mean logits of some examples: of their labels, by the model's shares, and of all classes alike."""
    arrays = [(name, array) for name, parts in own.items() for array in parts.values()]
    sums = [[torch.zeros_like(array) for _, array in arrays] for _ in range(3)]
    scale = scale_of(run.splits.train.images)
    images, labels = run.splits.train.images[chosen], torch.tensor(run.labels.assigned[chosen], dtype=torch.int64)
    for start in range(0, len(images), 500):
        shown = layers_of(run.config.model, own, scaled(images[start : start + 500], scale))
        logits = list(shown.values())[-1]
        wanted = logits.gather(1, labels[start : start + 500, None]).sum()
        for total, value in zip(
            sums, (wanted, (logits.softmax(1).detach() * logits).sum(), logits.mean(1).sum()), strict=True
        ):
            for one, found in zip(
                total, torch.autograd.grad(value, [a for _, a in arrays], retain_graph=True), strict=True
            ):
                one += found / len(images)
    by_layer = [{name: [] for name in own} for _ in sums]
    for found, total in zip(by_layer, sums, strict=True):
        for (name, _), one in zip(arrays, total, strict=True):
            found[name].append(one)
    return by_layer
