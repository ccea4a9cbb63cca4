"""What loggers share: what a run is called, the names of its curves, their points, and when its epochs ended."""

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class About(NamedTuple):
    """What a service is told of a run.

    Attributes:
      id: of this run alone, whatever it is called; a folder that is moved keeps it.
      group: the ensemble or sweep that the run is of; None for a run of its own.
      config: every field of `RunConfig`.
      notes: what else is known by name: identity, preset.
    """

    id: str
    name: str
    group: str | None
    config: Mapping[str, object]
    notes: Mapping[str, str]


def tag(column: str) -> str:
    """The name of a metric's curve: accuracies are one group of a page."""
    name = column.removesuffix("_accuracy")
    return column if name == column else f"accuracy/{name}"


def points(row: Mapping[str, float]) -> dict[str, float]:
    """The curves of an epoch's row and their values; NaN, the accuracy of a group without examples, has no point."""
    return {tag(name): float(value) for name, value in row.items() if name != "epoch" and math.isfinite(value)}


def ended(rows: Sequence[Mapping[str, float]]) -> list[float]:
    """When each epoch of some that follow each other ended, in seconds since 1970, if the last did now."""
    later = itertools.accumulate((row["seconds"] for row in rows[:0:-1]), initial=0.0)
    return [time.time() - seconds for seconds in later][::-1] if rows else []
