"""How netCDF and its kin store numbers: which stand for none, and by what they are to be multiplied and moved."""

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

# By the conventions of netCDF (CF 1.11, sections 2.5.1 and 8.1); the second of FILLS may hold several.
FILLS = ("_FillValue", "missing_value")
SCALE, OFFSET = "scale_factor", "add_offset"


class Encoding(NamedTuple):
    """What the attributes of an array say of its numbers.

    Attributes:
      fills: stored numbers that stand for a missing value.
      scale, offset: the value is scale * stored + offset.
      dtype: of scale and offset; None where they change nothing.
    """

    fills: tuple[int | float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    dtype: np.dtype | None = None

    @property
    def changes(self) -> bool:
        """Whether any number may become another one."""
        return bool(self.fills) or self.dtype is not None

    def decoded_dtype(self, dtype: np.dtype) -> np.dtype:
        """Floating point for the decoded numbers of a `dtype`, as precise as what is stored and as the attributes."""
        own = _floating(dtype)
        return own if self.dtype is None else np.result_type(own, self.dtype)

    def decoded(self, values: np.ndarray) -> np.ndarray:
        """Values as they were before they were stored, NaN where they are missing; integers may stay integers."""
        if values.dtype.kind not in "iuf":
            return values
        found = _with_nan(values, self.fills)
        if self.dtype is None:
            return found
        kind = self.decoded_dtype(values.dtype)
        return found.astype(kind) * kind.type(self.scale) + kind.type(self.offset)


def encoding_of(attributes: Mapping[str, Any], *, name: str) -> Encoding:
    """Reads the attributes of an array; raises ValueError, with its name, where a scale or an offset is no number."""
    fills = [fill for one in FILLS for fill in _numbers(attributes.get(one, ())).tolist()]
    given = {one: _scalar(attributes[one], one, name) for one in (SCALE, OFFSET) if one in attributes}
    scale, offset = given.get(SCALE, np.float32(1.0)), given.get(OFFSET, np.float32(0.0))
    is_plain = scale == 1 and offset == 0
    dtype = None if is_plain else np.result_type(*(_floating(one.dtype) for one in given.values()))
    return Encoding(tuple(fills), float(scale), float(offset), dtype)


def _numbers(given):
    own = np.ravel(_float_of_text(given) if isinstance(given, str) else given)
    return own if own.dtype.kind in "iuf" else np.zeros(0)


def _scalar(given, attribute, name):
    found = np.ravel(given)
    if found.size != 1 or found.dtype.kind not in "iuf" or not np.isfinite(found[0]):
        raise ValueError(f"expected one number as the attribute {attribute} of array {name!r}, got {given!r:.60}")
    return found[0]


def _floating(dtype: np.dtype) -> np.dtype:
    """Floating point that has the integers of `dtype` and NaN; floating point as it is."""
    return dtype if dtype.kind == "f" else np.result_type(dtype, np.float32)


def _with_nan(values, fills):
    """Values with NaN in place of those that stand for a missing one; integers with none stay integers."""
    is_missing = np.zeros(values.shape, bool)
    for fill in fills:
        is_missing |= _equal(values, fill)
    if not is_missing.any():
        return values
    found = np.array(values, _floating(values.dtype))
    found[is_missing] = np.nan
    return found


def _equal(values, fill):
    if values.dtype.kind != "f":
        # As an integer: large ones are not all numbers of floating point.
        return values == int(fill) if float(fill).is_integer() else False
    with np.errstate(over="ignore"):
        own = np.asarray(fill).astype(values.dtype)
    # A number beyond the range of the values is none of them, though it becomes infinite.
    return values == own if np.isfinite(own) or not np.isfinite(fill) else False


def _float_of_text(text):
    """A float as xarray writes it to zarr of format 3: base64 of 8 bytes; nothing for any other text."""
    try:
        return struct.unpack("<d", base64.b64decode(text, validate=True))
    except (binascii.Error, struct.error):
        return ()
