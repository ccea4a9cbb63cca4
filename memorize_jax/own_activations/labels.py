"""Which class each example has, by whatever a caller calls classes; and which examples take part."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from memorize_jax.geometry.points import as_labels


class Labels(NamedTuple):
    """Classes of n examples.

    Attributes:
      codes: place of each example's class among `names`; -1 for examples that do not take part.
      names: of the classes that occur, in increasing order, as the caller has them: integers, text, or truth values.
    """

    codes: Int[np.ndarray, " n"]
    names: tuple[Any, ...]


def flat_labels(labels: Any) -> np.ndarray:
    """Reads labels [n] of any kind; a column [n, 1] and a row [1, n] are vectors.

    Raises:
      ValueError: no labels, masked values, more than one label for an example.
    """
    if labels is None:
        raise ValueError(
            "expected labels [n], the class of every example, got none; analyze(*read_activations(path)) gives both"
        )
    if np.ma.is_masked(labels):
        raise ValueError(f"expected labels without masked values, got {np.ma.count_masked(labels)}; leave them out")
    array = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1 or not len(array):
        advice = "; np.argmax(labels, axis=1) reads one-hot rows" if array.ndim == 2 else ""
        raise ValueError(f"expected labels [n], one for every example, got shape {array.shape}{advice}")
    return array


def read_labels(labels: np.ndarray, is_taken: Bool[np.ndarray, " n"]) -> Labels:
    """Numbers the classes of the examples that take part; the labels of others may be anything.

    Integers >= 0, text and truth values are classes; floats are not, for they may be measurements, unless NaN has made
    floats of integers: where it stands in place of the labels of others, and of no one else's.

    Raises:
      ValueError: labels of another kind, a missing or negative one, fewer than two classes.
    """
    own = known_labels(labels, is_taken, whole_floats=bool(pd.isna(labels[~is_taken]).any()))
    names, places = np.unique(own, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"expected labels of at least 2 classes, got {names.tolist()}")
    codes = np.full(len(labels), -1)
    codes[is_taken] = places
    return Labels(codes, tuple(names.tolist()))


def known_labels(labels: np.ndarray, is_taken: Bool[np.ndarray, " n"], *, whole_floats: bool = False) -> np.ndarray:
    """Reads the labels of the examples that take part, as integers, text or truth values; errors as of `read_labels`.

    Args:
      whole_floats: whether floats are taken as the integers that they are equal to.
    """
    labels, rows = labels[is_taken], np.flatnonzero(is_taken)
    if labels.dtype.kind == "O":
        labels = _of_objects(labels, rows)
    if labels.dtype.kind == "f":
        _refuse_missing(np.isnan(labels), rows, labels)
        # Floats of 2^53 or more may have been other integers.
        wide = labels.astype(np.float64)
        if whole_floats and np.all(wide == np.rint(wide)) and np.abs(wide).max(initial=0) < 2**53:
            labels = wide.astype(np.int64)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if labels.dtype.kind in "UT":
        labels = labels.astype(str)
        _refuse_missing(labels == "", rows, labels)
        return labels
    if labels.dtype.kind in "iu":
        _refuse_missing(np.signbit(labels.astype(float)), rows, labels)
    return labels if labels.dtype.kind == "b" and len(labels) else as_labels(labels)


def _of_objects(labels, rows):
    _refuse_missing(pd.isna(labels), rows, labels)
    for kind, dtype in ((str, str), (bool, bool), ((int, np.integer), np.int64), (float, float)):
        if all(isinstance(label, kind) for label in labels):
            return labels.astype(dtype)
    return labels


def _refuse_missing(is_missing, rows, labels):
    if is_missing.any():
        place = int(np.argmax(is_missing))
        wanted, mask = "a label for every example", "[n] booleans"
        if labels.dtype.kind in "iu":
            wanted = mask = "labels >= 0"
        if labels.dtype.kind == "f":
            mask = "~np.isnan(labels)"
        raise ValueError(
            f"expected {wanted}, got {labels[place]!s:.20} in row {rows[place]}, in {is_missing.sum()} rows in all; "
            f"leave out examples without a class: mask={mask}"
        )


def read_mask(mask: Any, layers: Collection[str], count: int) -> Bool[np.ndarray, " n"]:
    """Reads which examples take part: those that every mask given has, for all layers are measured on the same ones.

    Args:
      mask: None for all, [n] booleans, or name of a layer -> [n] booleans.

    Raises:
      ValueError: no booleans, another number of them, a layer that there is not, or nothing left.
    """
    is_taken = np.ones(count, bool)
    masks = {None: mask} if mask is not None and not isinstance(mask, Mapping) else dict(mask or {})
    for name, own in masks.items():
        if name is not None and name not in layers:
            raise ValueError(f"expected mask for layers out of {', '.join(layers)}, got {name!r}")
        what = "mask" if name is None else f"mask of layer {name!r}"
        own = np.asarray(own.detach().cpu() if hasattr(own, "detach") else own)
        if own.dtype != bool or own.size != count or max(own.shape, default=0) != count:
            advice = "; mask == 1 makes booleans of numbers" if own.dtype != bool else ""
            raise ValueError(f"expected {what} [{count}] of booleans, got {own.dtype} {own.shape}{advice}")
        is_taken &= own.ravel()
    if count and not is_taken.any():
        raise ValueError(f"expected examples that take part, got none of {count} by mask")
    return is_taken
