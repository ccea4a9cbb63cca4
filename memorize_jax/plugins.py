"""Data sets and networks of a reader's own code, by name: MODULE:NAME."""

import importlib
import re
from typing import Any


def is_own(name: str) -> bool:
    """Tells whether a name leads out of this package."""
    return ":" in name


def check_form(kind: str, name: str) -> None:
    """Raises ValueError unless the name of a thing of some kind has the form MODULE:NAME; imports nothing."""
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", name):
        raise ValueError(f"expected {kind} of your own as MODULE:NAME, like my_module:my_{kind}, got {name!r}")


def find(kind: str, name: str) -> Any:
    """Imports a module, as those in the current folder can be with `python -m`, and takes from it what a name says.

    Raises ValueError, which says why, if there is no such module, nothing of that name in it, or the module fails.
    """
    check_form(kind, name)
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a module may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{kind} {name} could not be imported ({reason})") from error
