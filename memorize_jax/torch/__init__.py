"""Bring your own PyTorch network: its activations by the names of its modules.

layers, labels = memorize_jax.torch.extract(model, loader)
result = memorize_jax.analyze(layers, labels)
"""

from memorize_jax.torch.extract import Extracted, accumulate, extract
from memorize_jax.torch.streaming import stream

__all__ = ["Extracted", "accumulate", "extract", "stream"]
