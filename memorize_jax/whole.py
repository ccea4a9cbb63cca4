"""Numbers that callers give as arguments, checked before anything is traced."""

import numbers
from typing import Any


def check_whole(name: str, value: Any, least: int | None = None) -> None:
    """ValueError for what is no whole number, or one below `least`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise ValueError(f"expected {name} to be a whole number, got {value!r}")
    if least is not None and value < least:
        raise ValueError(f"expected {name} >= {least}, got {value}")
