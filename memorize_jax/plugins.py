"""Data sets and networks of a reader's own code, by name: MODULE:NAME."""

import importlib
import re
from typing import Any


def is_own(name: str) -> bool:
    """Tells whether a name leads out of this package."""
    return ":" in name


def check_form(kind: str, name: str) -> None:
    """Raises ValueError unless a name has the form MODULE:NAME; imports nothing.

    Args:
      kind: of thing, for the error message.
      name: e.g. "my_package.my_data:load".
    """
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", name):
        raise ValueError(f"expected {kind} of your own as MODULE:NAME, like my_module:my_{kind}, got {name!r}")


def find(kind: str, name: str) -> Any:
    """Imports a module and takes what a name says from it.

    Args:
      kind: of thing, for the error message.
      name: MODULE:NAME; the module must be importable, as those in the current folder are with `python -m`.

    Returns:
      What the module holds under that name.

    Raises:
      ValueError: no such module, or nothing of that name in it, or the module fails; says why.
    """
    check_form(kind, name)
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a module may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{kind} {name} could not be imported ({reason})") from error
