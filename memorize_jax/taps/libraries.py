"""Whose network an object is, told without importing the library."""

from collections.abc import Mapping
from typing import Any

# Where the base class of a library's networks is defined -> the library.
BASES = {
    ("flax.linen", "Module"): "flax.linen",
    ("flax.nnx", "Module"): "flax.nnx",
    ("equinox", "Module"): "equinox",
    ("haiku", "Module"): "haiku",
    ("haiku", "Transformed"): "haiku",
    ("haiku", "TransformedWithState"): "haiku",
    ("haiku", "MultiTransformed"): "haiku",
    ("haiku", "MultiTransformedWithState"): "haiku",
    ("torch.nn", "Module"): "torch",
}
# Library -> what reads its networks here.
TAPS = {
    "flax.linen": "memorize_jax.taps.linen(model)",
    "flax.nnx": "memorize_jax.taps.nnx()",
    "equinox": "memorize_jax.taps.equinox()",
    "haiku": "memorize_jax.taps.haiku(transformed)",
    "torch": "memorize_jax.torch.extract(model, loader)",
}


def library_of(model: Any) -> str | None:
    """The library whose network an object is, or None."""
    for base in type(model).__mro__:
        for (package, name), library in BASES.items():
            if base.__name__ == name and f"{base.__module__}.".startswith(f"{package}."):
                return library
    return None


def library_of_network(given: Any) -> str | None:
    """The same of a network as it is trained: of equinox also (model, state)."""
    first = given[0] if isinstance(given, tuple) and len(given) == 2 else given
    library = library_of(first)
    return library if first is given or library == "equinox" else None


def describe(model: Any) -> str:
    """Says in a word or two what was given instead of a network."""
    library = library_of(model)
    if library is not None:
        return f"{type(model).__name__} of {library}"
    if isinstance(model, Mapping):
        return f"a dict of {', '.join(map(str, list(model)[:3])) or 'nothing'}"
    return type(model).__name__


def expect(model: Any, library: str, what: str) -> None:
    """Raises ValueError in one line, with the tap that is right, unless `model` is a network of `library`."""
    found = library_of(model)
    if found == library:
        return
    hint = f"; {TAPS[found]} reads that" if found else ""
    raise ValueError(f"expected {what}, got {describe(model)}{hint}")
