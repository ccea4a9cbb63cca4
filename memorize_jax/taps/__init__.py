"""Layers of anybody's JAX network by name: what they show, and their parameters.

    tap = memorize_jax.taps.linen(model, train=False)        # or nnx, equinox, haiku
    shown = tap(variables, images)                           # {layer: [n, ...]}, inside jit too

    parts = memorize_jax.taps.split(variables)               # parts["params"]["encoder/Dense_1"]["kernel"]
    variables = memorize_jax.taps.merge(variables, parts)

Names are loaded when they are first asked for, so that no library is imported that is not used.
"""

import importlib

# Name -> the module that has it.
_NAMES = {
    "linen": "memorize_jax.taps.linen_tap",
    "nnx": "memorize_jax.taps.nnx_tap",
    "equinox": "memorize_jax.taps.equinox_tap",
    "haiku": "memorize_jax.taps.haiku_tap",
    "split": "memorize_jax.taps.variables",
    "merge": "memorize_jax.taps.variables",
}
__all__ = [*_NAMES]


def __getattr__(name):
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_NAMES[name]), name)
    except ModuleNotFoundError as error:
        # Only the libraries that are options have the name of their tap.
        if error.name != name:
            raise
        raise ImportError(f"this needs {name}: pip install 'memorize_jax[{name}]'") from error


def __dir__():
    return sorted(__all__)
