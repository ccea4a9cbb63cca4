"""PyTorch itself, or a line that says how to install it; the only file that imports it."""

from typing import Any

try:
    import torch as _library
except ImportError as error:
    raise ImportError("memorize_jax.torch needs PyTorch: pip install 'memorize_jax[torch]'") from error

# Where PyTorch is not installed, a type checker takes `torch` for the package that this file is in.
torch: Any = _library
