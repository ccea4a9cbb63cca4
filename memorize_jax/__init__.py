"""See where and when a deep network memorizes: manifold geometry of generalization and memorization in JAX.

    import memorize_jax

    run = memorize_jax.open_run("runs/mine")             # a trained run: config, labels, networks, tables
    result = memorize_jax.analyze(activations, labels)   # geometry of anybody's activations

Names are loaded when they are first asked for, so that importing the package does not start JAX.
"""

import importlib

# Name -> (module, name in it; None for the module itself).
_NAMES = {
    "analyze": ("memorize_jax.own_activations.analyze", "analyze"),
    "Analysis": ("memorize_jax.own_activations.analysis", "Analysis"),
    "GeometryAccumulator": ("memorize_jax.own_activations.accumulator", "GeometryAccumulator"),
    "read_activations": ("memorize_jax.own_activations.files.read", "read_activations"),
    "compare": ("memorize_jax.own_activations.compare", "compare"),
    "Comparison": ("memorize_jax.own_activations.comparison", "Comparison"),
    "open_run": ("memorize_jax.runs.run", "open_run"),
    "open_study": ("memorize_jax.measurements.registry", "open_study"),
    "explore": ("memorize_jax.report.explore", "explore"),
    "plot": ("memorize_jax.report.plot", "plot"),
    "train": ("memorize_jax.runs.front", "train"),
    "RunConfig": ("memorize_jax.config", "RunConfig"),
    "data": ("memorize_jax.data", None),
    "find_label_errors": ("memorize_jax.measurements.per_example.label_errors", "find_label_errors"),
    "geometry": ("memorize_jax.geometry", None),
    "measurements": ("memorize_jax.measurements", None),
    "models": ("memorize_jax.models", None),
    "taps": ("memorize_jax.taps", None),
    "Watch": ("memorize_jax.watching.watch", "Watch"),
    "torch": ("memorize_jax.torch", None),
}
__all__ = ["__version__", *_NAMES]


def __getattr__(name):
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("memorize_jax")
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _NAMES[name]
    found = importlib.import_module(module)
    return found if attribute is None else getattr(found, attribute)


def __dir__():
    return sorted(__all__)
