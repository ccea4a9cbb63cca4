"""Missing values of netCDF and its kin: numbers that an attribute says stand for none."""

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

# By the conventions of netCDF (CF 1.11, section 2.5.1); the second may hold several.
ATTRIBUTES = ("_FillValue", "missing_value")


def fill_values(attributes: Mapping[str, Any]) -> list[int | float]:
    """The numbers that stand for a missing value in an array with these attributes."""
    found = []
    for name in ATTRIBUTES:
        given = attributes.get(name, ())
        own = np.ravel(_decoded(given) if isinstance(given, str) else given)
        found += own.tolist() if own.dtype.kind in "iuf" else []
    return found


def filled_dtype(dtype: np.dtype) -> np.dtype:
    """Floating point that has the integers of `dtype` and NaN; floating point as it is."""
    return dtype if dtype.kind == "f" else np.result_type(dtype, np.float32)


def with_nan(values: np.ndarray, fills: list[int | float]) -> np.ndarray:
    """Values with NaN in place of those that stand for a missing one; integers with none stay integers."""
    if values.dtype.kind not in "iuf":
        return values
    is_missing = np.zeros(values.shape, bool)
    for fill in fills:
        is_missing |= _equal(values, fill)
    if not is_missing.any():
        return values
    found = np.array(values, filled_dtype(values.dtype))
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


def _decoded(text):
    """A float as xarray writes it to zarr of format 3: base64 of 8 bytes; nothing for any other text."""
    try:
        return struct.unpack("<d", base64.b64decode(text, validate=True))
    except (binascii.Error, struct.error):
        return ()
