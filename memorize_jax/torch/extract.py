"""Activations of a PyTorch network, layer by layer, in one pass through a loader."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from memorize_jax.memory import readable
from memorize_jax.progress import bar
from memorize_jax.torch.batches import count_of
from memorize_jax.torch.streaming import stream


class Extracted(NamedTuple):
    """Activations and classes of the same examples."""

    layers: dict[str, np.ndarray]  # name -> [n, ...], in the order of the forward pass
    labels: np.ndarray | None  # [n], or None where the loader has none

    def __repr__(self):
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in self.layers.items())
        classes = "no labels" if self.labels is None else f"labels of {len(np.unique(self.labels))} classes"
        return f"Extracted({len(self.layers)} layers: {shapes}; {classes})"


def extract(
    model: Any,
    loader: Any,
    layers: str | Sequence[str] = "auto",
    pool: str | Callable | Mapping[str, Any] = "flatten",
    *,
    progress: bool = True,
    **options: Any,
) -> Extracted:
    """Collects the activations of layers of a PyTorch network, ready for `memorize_jax.analyze`.

        layers, labels = memorize_jax.torch.extract(model, loader)
        result = memorize_jax.analyze(layers, labels)

    One pass in evaluation mode without gradients; modes, hooks and all random numbers are afterward what they were,
    also after an exception. Outputs are copied when a module returns, before an operation in place changes them. Two
    examples go ahead, which tells the layers and how much memory all examples will take.

    Args:
      model: a torch.nn.Module on any devices; what DataParallel and torch.compile wrap is taken out of them.
      loader: DataLoader or any iterable of batches: tensors, pairs (inputs, labels), or dicts as Hugging Face makes
        them. Also a data set, a tensor [n, ...], a dict of tensors, a tuple (inputs, labels).
      layers: "auto", or names of `model.named_modules()` or patterns such as "layer3.*", where `*` matches dots too.
        A module that is called several times gives "relu", "relu#2", ... "auto" takes the outputs of blocks (residual
        blocks, encoder layers), of nonlinearities that are in no block, and of the layer with parameters that comes
        last; nothing inside of a block.
      pool: "flatten", all units; "mean" over tokens [b, tokens, features] or map positions [b, channels, ...]; "cls",
        the first token; "last", the last; "sample:4096", so many units chosen by `seed`; a function from the output of
        the module to [b, ...]; or a dict from names or patterns of layers to these, the others flattened. What
        `attention_mask` marks as padding is never taken. Of a tuple the first tensor is the layer, of a ModelOutput
        `last_hidden_state` or the only tensor.
      progress: whether a bar is shown.
      **options: of `stream`.

    Returns:
      (layers, labels): name -> [n, ...], in the order of the forward pass, and the class of each example. Arrays that
        may have channels first are marked (`ChannelsFirst`), so that `analyze` does not pool them by other axes.

    Raises:
      ValueError: a network, loader, layer or way of pooling that cannot be used, naming the layer and the remedy; more
        than memory holds.
    """
    most = options.get("max_examples")
    total = None if options.get("examples_per_class") else count_of(loader)
    total = total if most is None or total is None else min(most, total)
    parts, labels, shown = {}, [], None
    try:
        for own, classes in stream(model, loader, layers, pool, **options):
            if shown is None:
                row = sum(values.nbytes // len(values) for values in own.values())
                size = "" if total is None else f", {readable(row * total)}"
                names = list(own)
                what = f"{len(names)} layers, {names[0]} to {names[-1]}{size}"
                shown = bar(what, "example" if progress else "", total)
            for name, values in own.items():
                parts.setdefault(name, []).append(values)
            labels.append(classes)
            shown.update(len(next(iter(own.values()))))
    finally:
        if shown is not None:
            shown.close()
    # Layer by layer, so that only one is there twice.
    joined = {name: np.concatenate(parts.pop(name)) for name in list(parts)}
    return Extracted(joined, None if labels[0] is None else np.concatenate(labels))


def accumulate(
    model: Any, loader: Any, accumulator: Any, layers: Any = "auto", pool: Any = "flatten", **options: Any
) -> Any:
    """Streams activations into a `GeometryAccumulator`, batch by batch, and returns it; arguments of `extract`."""
    for own, labels in stream(model, loader, layers, pool, held=False, **options):
        accumulator.add(own, labels)
    return accumulator
