"""How netCDF and its kin store numbers: which stand for none, and by what they are to be multiplied and moved."""

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

# By the conventions of netCDF. CF 1.11, section 2.5.1: numbers that stand for a missing one, of which the second may be
# several, and the range of those that do not. Section 8.1: packed numbers; all before is of what is stored.
FILLS = ("_FillValue", "missing_value")
VALID, LEAST, MOST = "valid_range", "valid_min", "valid_max"
SCALE, OFFSET = "scale_factor", "add_offset"
# NetCDF Users Guide, appendix A: "true" where stored integers have no sign, which netCDF 3 could not say otherwise.
UNSIGNED = "_Unsigned"
# What the library of netCDF puts where nothing was written and no `_FillValue` was given: NC_FILL_* of netcdf.h. Of
# one byte it is a number like any other (NetCDF Users Guide, appendix A).
DEFAULT_FILLS: dict[str, int | float] = {"f4": 9.9692099683868690e36, "f8": 9.9692099683868690e36}
DEFAULT_FILLS |= {"i2": -32767, "i4": -2147483647, "i8": -9223372036854775806}
DEFAULT_FILLS |= {"u2": 65535, "u4": 4294967295, "u8": 18446744073709551614}


class Encoding(NamedTuple):
    """What the attributes of an array say of its numbers.

    Attributes:
      fills: stored numbers that stand for a missing value.
      scale, offset: the value is scale * stored + offset.
      dtype: of scale and offset; None where they change nothing.
      least, most: stored numbers beyond these stand for a missing value too.
      is_unsigned: whether stored integers are to be read as those without a sign; fills and bounds then are so already.
    """

    fills: tuple[int | float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    dtype: np.dtype | None = None
    least: int | float = -math.inf
    most: int | float = math.inf
    is_unsigned: bool = False

    @property
    def changes(self) -> bool:
        """Whether any number may become another one."""
        is_bounded = (self.least, self.most) != (-math.inf, math.inf)
        return bool(self.fills) or self.dtype is not None or is_bounded or self.is_unsigned

    def decoded_dtype(self, dtype: np.dtype) -> np.dtype:
        """Floating point for the decoded numbers of a `dtype`, as precise as what is stored and as the attributes."""
        own = _floating(dtype)
        return own if self.dtype is None else np.result_type(own, self.dtype)

    def decoded(self, values: np.ndarray) -> np.ndarray:
        """Values as they were before they were stored, NaN where they are missing; integers may stay integers."""
        if values.dtype.kind not in "iuf":
            return values
        values = values.view(_without_sign(values.dtype)) if self.is_unsigned else values
        found = _with_nan(values, self._is_missing(values))
        if self.dtype is None:
            return found
        kind = self.decoded_dtype(values.dtype)
        return found.astype(kind) * kind.type(self.scale) + kind.type(self.offset)

    def _is_missing(self, values):
        is_missing = np.zeros(values.shape, bool)
        for fill in self.fills:
            is_missing |= _equal(values, fill)
        # NaN is no bound.
        if self.least > -math.inf:
            is_missing |= values < _bound(self.least, values.dtype)
        if self.most < math.inf:
            is_missing |= values > _bound(self.most, values.dtype)
        return is_missing


def encoding_of(
    attributes: Mapping[str, Any], *, name: str, dtype: np.dtype, own_fills: tuple[int | float, ...] = ()
) -> Encoding:
    """Reads the attributes of an array.

    Args:
      name: of the array, for the error.
      dtype: of what is stored.
      own_fills: stored numbers that stand for a missing value by what the file itself says, beside its attributes.

    Raises:
      ValueError: a scale or an offset is no number. Other attributes that are no numbers say nothing.
    """
    is_unsigned = dtype.kind == "i" and _text(attributes.get(UNSIGNED, "")).lower() == "true"
    numbers = {one: _numbers(attributes.get(one, ())).tolist() for one in (*FILLS, VALID, LEAST, MOST)}
    numbers["own"] = list(own_fills)
    if is_unsigned:
        numbers = {one: [_as_unsigned(number, dtype) for number in found] for one, found in numbers.items()}
    fills = [number for one in (*FILLS, "own") for number in numbers[one]]
    bounds = numbers[VALID] if len(numbers[VALID]) == 2 else [-math.inf, math.inf]
    least, most = (numbers[one][0] if numbers[one] else bounds[place] for place, one in enumerate((LEAST, MOST)))
    given = {one: _scalar(attributes[one], one, name) for one in (SCALE, OFFSET) if one in attributes}
    scale, offset = given.get(SCALE, np.float32(1.0)), given.get(OFFSET, np.float32(0.0))
    is_plain = scale == 1 and offset == 0
    kind = None if is_plain else np.result_type(*(_floating(one.dtype) for one in given.values()))
    return Encoding(tuple(fills), float(scale), float(offset), kind, least, most, is_unsigned)


def default_fills(attributes: Mapping[str, Any], dtype: np.dtype, filled_with: Any) -> tuple[int | float, ...]:
    """What stands for a missing value in an array that the library of netCDF wrote, though no attribute says so.

    Args:
      filled_with: what the file itself has where nothing was written. An integer may well be a number that was
        measured, so it counts only if it is this too.
    """
    fill = DEFAULT_FILLS.get(dtype.str[1:])
    if fill is None or FILLS[0] in attributes or not (dtype.kind == "f" or fill == filled_with):
        return ()
    return (fill,)


def _numbers(given):
    own = np.ravel(_float_of_text(given) if isinstance(given, str) else given)
    return own if own.dtype.kind in "iuf" else np.zeros(0)


def _scalar(given, attribute, name):
    found = np.ravel(given)
    if found.size != 1 or found.dtype.kind not in "iuf" or not np.isfinite(found[0]):
        raise ValueError(f"expected one number as the attribute {attribute} of array {name!r}, got {given!r:.60}")
    return found[0]


def _text(given):
    first = np.ravel(given)[:1].tolist()
    return first[0].decode(errors="replace") if first and isinstance(first[0], bytes) else str(*first)


def _without_sign(dtype: np.dtype) -> np.dtype:
    return np.dtype(dtype.str.replace("i", "u"))


def _as_unsigned(number, dtype):
    """A stored integer as it is read without a sign; others as they are."""
    return number + 2 ** (8 * dtype.itemsize) if np.iinfo(dtype).min <= number < 0 else number


def _floating(dtype: np.dtype) -> np.dtype:
    """Floating point that has the integers of `dtype` and NaN; floating point as it is."""
    return dtype if dtype.kind == "f" else np.result_type(dtype, np.float32)


def _with_nan(values, is_missing):
    """Values with NaN in place of those that are missing; integers with none stay integers."""
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


def _bound(number, dtype):
    """A bound of values of a dtype: of floating point as precise as they are, so that what equals it is within."""
    with np.errstate(over="ignore"):
        return dtype.type(number) if dtype.kind == "f" else number


def _float_of_text(text):
    """A float as xarray writes it to zarr of format 3: base64 of 8 bytes; nothing for any other text."""
    try:
        return struct.unpack("<d", base64.b64decode(text, validate=True))
    except (binascii.Error, struct.error):
        return ()
