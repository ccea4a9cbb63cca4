"""Repeated measurements as arrays with names and dimensions, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memorize_jax.own_activations.repeats import Numbers, Repeats

# Field of `Repeats` -> dimensions before those of a layer or class.
TIMES = {"repeated": ("repeat",), "parts": ("round", "part")}
# Field of `Numbers` -> what stands between that of `Repeats` and the measure, and the dimensions at the end.
KINDS = {"by_layer": ("layer", ("layer",)), "by_class": ("class", ("layer", "label"))}
ROWS, TAKEN = "repeated_rows", "parts_taken"


def padded_rows(indices: Mapping[Any, np.ndarray]) -> np.ndarray:
    """Rows of each class [P, M], -1 where a class has fewer than another."""
    rows = list(indices.values())
    padded = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for own, given in zip(padded, rows, strict=True):
        own[: len(given)] = given
    return padded


def arrays_of_repeats(repeats: Repeats | None) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Name -> (dimensions, values): "repeated_layer_capacity", "parts_class_radius" and the like."""
    if repeats is None:
        return {}
    found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {TAKEN: (("label",), repeats.taken)}
    found[ROWS] = (("repeat", "label", "example"), np.stack([padded_rows(own) for own in repeats.choices]))
    for field, times in TIMES.items():
        if (numbers := getattr(repeats, field)) is None:
            continue
        for kind, (called, dimensions) in KINDS.items():
            for measure, values in getattr(numbers, kind).items():
                found[f"{field}_{called}_{measure}"] = ((*times, *dimensions), values)
    return found


def repeats_of(arrays: Mapping[str, tuple[Any, np.ndarray]], labels: Sequence) -> Repeats | None:
    """The repeats out of what `arrays_of_repeats` made of them; None where there were none."""
    if ROWS not in arrays:
        return None
    found = {}
    for field in TIMES:
        numbers = {}
        for kind, (called, _) in KINDS.items():
            start = f"{field}_{called}_"
            own = {name.removeprefix(start): values for name, (_, values) in arrays.items() if name.startswith(start)}
            numbers[kind] = dict(sorted(own.items()))
        found[field] = Numbers(**numbers) if numbers["by_layer"] else None
    choices = [
        {label: own[own >= 0] for label, own in zip(labels, rows, strict=True)} for rows in np.asarray(arrays[ROWS][1])
    ]
    return Repeats(**found, choices=tuple(choices), taken=np.asarray(arrays[TAKEN][1]))
