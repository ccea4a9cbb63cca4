"""Batches of one accumulation: each read like a call of its own, and held against those before it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from memorize_jax.geometry.points import has_bad
from memorize_jax.own_activations.labels import flat_labels, known_labels, read_mask
from memorize_jax.own_activations.missing import NAN

# What NumPy's kinds of numbers and texts are to somebody who has labels.
KINDS = {"i": "integers", "u": "integers", "U": "text", "T": "text", "b": "truth values"}


class Batch(NamedTuple):
    """What is known of a batch beside its activations."""

    names: np.ndarray  # the class of every example; anything where it does not take part
    kind: str  # of these
    indices: Int[np.ndarray, " b"]
    is_asked: Bool[np.ndarray, " b"]


class Batches:
    """What the batches so far were like."""

    def __init__(self, nan: str):
        if nan not in NAN:
            raise ValueError(f"expected nan to be one of {', '.join(NAN)}, got {nan!r}")
        self._nan = nan
        self._shapes: dict[str, tuple[int, np.dtype]] = {}  # units and their dtype, of every layer
        self._kind = ""
        self._number = self._count = self._masked = self._dropped = 0

    @property
    def left_out(self) -> str:
        """Says how many examples did not take part, and why; "" if all did."""
        reasons = {"by mask": self._masked, "for NaN": self._dropped}
        return "".join(f"; {count} examples left out {why}" for why, count in reasons.items() if count)

    def read(self, layers: Mapping[str, Any], labels: Any, *, indices: Any, mask: Any) -> Batch:
        """Reads labels, indices and mask of a batch; ValueError for others than before."""
        if self._shapes and (other := [*self._shapes.keys() ^ layers.keys()]):
            what = "none of" if other[0] in self._shapes else "also"
            raise ValueError(
                f"expected layers {', '.join(self._shapes)} in every batch, got {what} {other[0]!r} in batch "
                f"{self._number}; layers of batches that lack some belong into another accumulator"
            )
        labels = flat_labels(labels)
        is_asked = read_mask(mask, layers, len(labels)) if mask is not None else np.ones(len(labels), bool)
        # Where NaN stands in some batches, a mask comes with all.
        own = known_labels(labels, is_asked, whole_floats=mask is not None)
        kind = KINDS[own.dtype.kind]
        if self._kind not in ("", kind):
            raise ValueError(f"expected labels of one kind, got {kind} in batch {self._number}, {self._kind} before")
        names = np.zeros(len(labels), own.dtype)
        names[is_asked] = own
        return Batch(names, kind, self._indices(indices, len(labels)), is_asked)

    def _indices(self, indices, count):
        if indices is None:
            return self._count + np.arange(count)
        indices = np.asarray(indices.detach().cpu() if hasattr(indices, "detach") else indices)
        if indices.shape != (count,) or indices.dtype.kind not in "iu" or indices.min(initial=0) < 0:
            raise ValueError(f"expected indices [{count}] of integers >= 0, got {indices.dtype} {indices.shape}")
        return indices.astype(np.int64)

    def check(self, layers: Mapping[str, Shaped[np.ndarray, "b _"]], batch: Batch) -> Bool[np.ndarray, " b"]:
        """Says which examples take part: those asked for that have no NaN in any layer.

        Raises:
          ValueError: infinite values, NaN with "raise", other units than before; names layer and batch.
        """
        is_taken = batch.is_asked.copy()
        for name, values in layers.items():
            width, dtype = self._shapes.get(name, (values.shape[1], values.dtype))
            if values.shape[1] != width:
                raise ValueError(
                    f"expected {width} units of layer {name!r} as in the batches before, got {values.shape[1]} in "
                    f'batch {self._number}; pool="mean" makes inputs of any size comparable'
                )
            if not np.can_cast(values.dtype, dtype):
                raise ValueError(
                    f"expected {dtype} of layer {name!r} as in the first batch, got {values.dtype} in batch "
                    f"{self._number}; convert all to one of them"
                )
            if values.dtype.kind in "iub" or not has_bad(values):
                continue
            bad = ~np.isfinite(values) if self._nan == "raise" else np.isinf(values)
            if (rows := np.flatnonzero(bad.any(axis=1) & batch.is_asked)).size:
                advice = '; nan="drop" leaves NaN out' if self._nan == "raise" else ""
                raise ValueError(
                    f"expected finite points of layer {name!r}, got NaN or infinite values in row {rows[0]} of batch "
                    f"{self._number}, in {len(rows)} of {len(values)} rows in all{advice}"
                )
            is_taken &= ~np.isnan(values).any(axis=1)
        return is_taken

    def accept(
        self, layers: Mapping[str, Shaped[np.ndarray, "b _"]], batch: Batch, is_taken: Bool[np.ndarray, " b"]
    ) -> None:
        """Counts a batch that was added."""
        self._shapes = self._shapes or {name: (values.shape[1], values.dtype) for name, values in layers.items()}
        self._kind = batch.kind
        self._number += 1
        self._count += len(batch.names)
        self._masked += int(np.sum(~batch.is_asked))
        self._dropped += int(np.sum(batch.is_asked & ~is_taken))
