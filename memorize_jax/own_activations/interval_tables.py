"""Tables of the intervals of repeated measurements, and why one is missing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memorize_jax.geometry.status import describe
from memorize_jax.own_activations.intervals import Interval, interval_of, overlap_of
from memorize_jax.own_activations.parts import FEWEST_EXAMPLES
from memorize_jax.own_activations.repeats import OF_LAYERS, Repeats


def measures_of(repeats: Repeats) -> list[str]:
    """Columns of a layer that were measured; without joint draws those of the joint geometry were not."""
    by_layer = repeats.repeated.by_layer
    return [name for name, status in OF_LAYERS.items() if np.isfinite(by_layer[status]).any()]


def layer_interval(repeats: Repeats, measure: str) -> Interval:
    """The interval of a column of all layers, [L]."""
    repeated = repeats.repeated.by_layer[measure]
    if repeats.parts is None:
        return _without_ends(repeated)
    whole = _sizes_of(repeats)
    # The variances of classes add up, each as 1/M_c if classes are alike.
    overlap = np.average(overlap_of(repeats.choices), weights=1 / whole)
    share = np.sum(1 / whole) / np.sum(1 / repeats.taken)
    return interval_of(repeated, repeats.parts.by_layer[measure], overlap, share)


def class_interval(repeats: Repeats, measure: str) -> Interval:
    """The interval of a column of all classes of all layers, [L, P]."""
    repeated = repeats.repeated.by_class[measure]
    if repeats.parts is None:
        return _without_ends(repeated)
    share = repeats.taken / _sizes_of(repeats)
    return interval_of(repeated, repeats.parts.by_class[measure], overlap_of(repeats.choices), share)


def _sizes_of(repeats):
    return np.array([len(rows) for rows in repeats.choices[0].values()])


def _without_ends(repeated):
    return Interval(repeated.mean(axis=0), *(np.full(repeated.shape[1:], np.nan) for _ in range(3)))


def reasons_of(repeats: Repeats, measure: str) -> list[str]:
    """Why a column of each layer has no interval; "" where it has one."""
    if repeats.parts is None:
        sizes = {label: len(rows) for label, rows in repeats.choices[0].items()}
        label = min(sizes, key=lambda own: sizes[own])
        few = f"class {label} has {sizes[label]} examples, and an interval takes {FEWEST_EXAMPLES} of every class"
        why = few if len(repeats.choices) > 1 else "measured once; repeats=20 gives intervals"
        return [why] * len(repeats.repeated.by_layer[measure][0])
    every = [
        np.concatenate([repeats.repeated.by_layer[name], np.concatenate(repeats.parts.by_layer[name])])
        for name in (measure, OF_LAYERS[measure])
    ]
    return [_reason(values, status) for values, status in zip(*(each.T for each in every), strict=True)]


def _reason(values, status):
    is_missing = np.isnan(values)
    if not is_missing.any():
        return ""
    return (
        f"no number in {is_missing.sum()} of {len(values)} measurements: "
        f"{describe(np.bitwise_or.reduce(status[is_missing].astype(int)))}"
    )


def interval_table(repeats: Repeats, layers: Sequence[str]) -> pd.DataFrame:
    """A row for each layer and measure: value, low, high, standard_error, and the reason of an interval that is NaN."""
    parts = []
    for measure in measures_of(repeats):
        own = pd.DataFrame(layer_interval(repeats, measure)._asdict())
        parts.append(own.assign(layer=layers, measure=measure, reason=reasons_of(repeats, measure)))
    table = pd.concat(parts).set_index(["layer", "measure"])
    return table.loc[[(layer, measure) for layer in layers for measure in measures_of(repeats)]]


def interval_columns(repeats: Repeats) -> dict[str, np.ndarray]:
    """Columns of the table by layer: <measure>_mean, <measure>_low, <measure>_high."""
    found = {name: layer_interval(repeats, name) for name in measures_of(repeats)}
    return {
        f"{name}_{end}": getattr(own, field)
        for name, own in found.items()
        for end, field in (("mean", "value"), ("low", "low"), ("high", "high"))
    }


def told(value: float, low: float, high: float) -> str:
    """A value with its interval, as tables for the eye show it: "0.312 [0.298, 0.326]"."""
    return f"{value:.3g} [{low:.3g}, {high:.3g}]" if np.isfinite(low) else f"{value:.3g}"
