"""Settings of all measurements as one list of keywords: whoever watches a loop need not know whose each is."""

import dataclasses
import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from memorize_jax.config import Settings
from memorize_jax.measurements.registry import settings_classes


def all_settings(given: Mapping[str, Any]) -> dict[str, Settings]:
    """Name of a measurement -> its settings, with those that are given, whichever they belong to.

    Raises ValueError for a name that no measurement has, or a value that it refuses.
    """
    defaults = {name: kind() for name, kind in settings_classes().items()}
    _refuse_unknown(given, {field for one in defaults.values() for field in _fields(one)})
    return {name: _with(one, given) for name, one in defaults.items()}


def changed_settings(settings: Sequence[Settings], given: Mapping[str, Any]) -> list[Settings]:
    """The settings of one measurement with others in their place; raises as `all_settings`."""
    _refuse_unknown(given, {field for one in settings for field in _fields(one)})
    return [_with(one, given) for one in settings]


def _with(settings: Settings, given: Mapping[str, Any]) -> Settings:
    found = dataclasses.replace(settings, **{name: given[name] for name in _fields(settings) if name in given})
    found.validate()
    return found


def _fields(settings: Settings) -> list[str]:
    return [field.name for field in dataclasses.fields(settings)]


def _refuse_unknown(given: Mapping[str, Any], known: Collection[str]) -> None:
    if unknown := [name for name in given if name not in known]:
        near = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"expected settings of the measurements, got {unknown[0]}{hint}")
