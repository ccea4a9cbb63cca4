"""Examples with missing values: left out with a warning, or refused."""

import warnings
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Shaped

from memorize_jax.geometry.points import has_bad

NAN = ("drop", "raise")
Taken = Bool[np.ndarray, " n"]


def without_missing(layers: Mapping[str, Shaped[np.ndarray, "n _"]], is_taken: Taken, nan: str) -> Taken:
    """Says which examples are left without those that have NaN in any unit of any layer.

    Warns:
      UserWarning: examples are left out; says of which layer, how many, and if it is for one unit.

    Raises:
      ValueError: another `nan`; NaN with "raise"; infinite values; a unit, or everything, that is NaN throughout.
    """
    if nan not in NAN:
        raise ValueError(f"expected nan to be one of {', '.join(NAN)}, got {nan!r}")
    left, said = is_taken.copy(), []
    for name, values in layers.items():
        if values.dtype.kind in "iub" or not has_bad(values):
            continue
        rows = np.flatnonzero(is_taken)
        own = values[rows]
        bad = np.flatnonzero((np.isinf(own) if nan == "drop" else ~np.isfinite(own)).any(axis=1))
        if len(bad):
            advice = '; nan="drop" leaves them out' if nan == "raise" and np.isnan(own[bad]).any(axis=1).all() else ""
            raise ValueError(
                f"expected finite points of layer {name!r}, got NaN or infinite values in row {rows[bad[0]]} of layer "
                f"{name!r}, in {len(bad)} of {len(rows)} rows in all{advice}"
            )
        is_missing = np.isnan(own)
        _refuse_dead_units(is_missing, name)
        with_nan = np.flatnonzero(is_missing.any(axis=1))
        if len(with_nan):
            left[rows[with_nan]] = False
            said.append(_left_out(is_missing[with_nan], name, len(rows)))
    if said:
        warnings.warn("; ".join(said), stacklevel=4)
    if not left.any():
        raise ValueError(f"expected examples without NaN, got none in layers {', '.join(layers)}; leave layers out")
    return left


def _refuse_dead_units(is_missing, name):
    dead = np.flatnonzero(is_missing.all(axis=0))
    if len(dead) == is_missing.shape[1]:
        raise ValueError(f"expected finite points of layer {name!r}, got NaN in every unit of every example")
    if len(dead):
        raise ValueError(
            f"expected finite points of layer {name!r}, got NaN in every example of {len(dead)} units, the first of "
            f"them unit {dead[0]}; leave these units out: values[:, ~np.isnan(values).all(axis=0)]"
        )


def _left_out(is_missing, name, count):
    """A sentence on the examples of a layer with NaN, and on the unit that is the only reason for most of them."""
    text = f"layer {name!r}: {len(is_missing)} of {count} examples have NaN and are left out of all layers"
    alone = is_missing[is_missing.sum(axis=1) == 1].sum(axis=0)
    unit = int(np.argmax(alone))
    if len(is_missing) > 1 and 2 * alone[unit] > len(is_missing):
        text += f", {alone[unit]} of them for unit {unit} alone: without this unit they could stay"
    return text
