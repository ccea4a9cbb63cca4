"""Names of parts of a recipe: one of ours, or MODULE:NAME of a reader's own code, which may fail in any way."""

from collections.abc import Callable, Iterable
from typing import Any

from memorize_jax import plugins


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is known, or MODULE:NAME; imports nothing."""
    if plugins.is_own(name):
        plugins.check_form(kind, name)
    elif name not in known:
        raise ValueError(f"expected {kind} to be one of {', '.join(known)}, or MODULE:NAME of your own, got {name!r}")


def call_own(kind: str, name: str, *args: Any, **options: Any) -> Any:
    """Calls what MODULE:NAME says; raises ValueError, which says how it was called, if that fails."""
    return guarded(kind, name, plugins.find(kind, name), *args, **options)


def guarded(kind: str, name: str, function: Callable, *args: Any, **options: Any) -> Any:
    """Calls a function of a reader's own; raises ValueError with its reason in one line if it fails."""
    try:
        return function(*args, **options)
    except Exception as error:  # it may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        taken = [f"{len(args)} arrays"] * bool(args) + [f"{option}={value!r}" for option, value in options.items()]
        raise ValueError(f"{kind} {name} failed when called with {', '.join(taken)} ({reason})") from error
