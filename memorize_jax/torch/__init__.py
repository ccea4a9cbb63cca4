"""Bring your own PyTorch network: its activations by the names of its modules.

    layers, labels = memorize_jax.torch.extract(model, loader)
    result = memorize_jax.analyze(layers, labels)

Where they do not fit into memory, batch by batch:

    accumulator = memorize_jax.torch.accumulate(model, loader, memorize_jax.torch.GeometryAccumulator())
    result = accumulator.result()
"""

import importlib

from memorize_jax.torch.extract import Extracted, accumulate, extract
from memorize_jax.torch.streaming import stream

__all__ = ["Extracted", "GeometryAccumulator", "accumulate", "extract", "stream"]


def __getattr__(name):
    # By the front door, for it knows nothing of PyTorch, and what watches PyTorch nothing of it.
    if name == "GeometryAccumulator":
        return importlib.import_module("memorize_jax").GeometryAccumulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
