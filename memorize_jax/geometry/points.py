"""The gate that all points and labels go through: read, refused or brought to floating point."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from memorize_jax.geometry.batching import peak_bytes
from memorize_jax.memory import check_fits

# Outside of these powers of two an overall factor is taken out on the host, before float32 is reached.
COMFORTABLE = 60


class Manifolds(NamedTuple):
    """Points of P manifolds, brought into one array."""

    points: Float[Array, "P M N"]  # 0 where an example is absent
    mask: Float[np.ndarray, "P M"]  # 1 where an example is present
    exponent: int  # of the power of two that the points were divided by; as a rule 0


def is_concrete(array: Any) -> bool:
    """Tells a real array from one that stands for it while jax traces."""
    return not isinstance(array, Tracer)


def as_array(values: Any, name: str = "points") -> np.ndarray | Array:
    """Reads an array of real numbers of any shape: what NumPy can read, jax arrays, PyTorch tensors on any device.

    Arrays of jax stay as they are, all others become NumPy arrays of their own dtype. ValueError for complex numbers,
    dates, text, objects, raw bytes, masked values, rows of unequal length.
    """
    array = _any_array(values, name)
    dtype = array.dtype
    real = any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))
    # To NumPy a time difference is an integer.
    if not real or dtype.kind == "m":
        hint = "; NumPy stores bfloat16 as such raw bytes: save float32 instead" if str(dtype) == "|V2" else ""
        raise ValueError(f"expected real numbers as {name}, got {dtype}{hint}")
    if isinstance(array, np.ndarray) and (dtype.itemsize > 8 or not dtype.isnative):
        # Kinds that jax does not know.
        return array.astype(np.float64 if dtype.itemsize > 8 else dtype.newbyteorder("="))
    return array


def as_labels(labels: Any, count: int | None = None, name: str = "labels") -> Integer[np.ndarray, " n"]:
    """Reads the class of every example: integers >= 0 of any framework; ValueError for all else, whole floats too."""
    labels = np.asarray(_any_array(labels, name))
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or count not in (None, len(labels)):
        raise ValueError(
            f"expected integer {name} [{'n' if count is None else count}], got {labels.dtype} {labels.shape}; "
            "np.unique(np.ravel(labels), return_inverse=True)[1] numbers any but NaN, which is to be left out before"
        )
    if labels.min(initial=0) < 0:
        row = int(np.argmax(labels < 0))
        raise ValueError(f"expected {name} >= 0, got {labels[row]} in row {row}; leave out examples without a class")
    return labels


def _any_array(values, name):
    if np.ma.is_masked(values):
        raise ValueError(f"expected {name} without masked values, got {np.ma.count_masked(values)}; leave them out")
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            # NumPy knows no bfloat16 of PyTorch's.
            values = values.float() if str(values.dtype) == "torch.bfloat16" else values
        return values if isinstance(values, jax.Array) else np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"expected {name} as one array, got {type(values).__name__}: {error}") from error


def read_manifolds(points: Any, name: str = "points", *, keep_origin: bool = False) -> Manifolds:
    """Reads the points of manifolds of equal or unequal size.

    float64 stays what it is under jax_enable_x64, all else becomes float32. Wide numbers of the host are centered
    first, and divided by a power of two if they are very large or small, so that nothing is lost; with `keep_origin`
    they keep their zero, at the cost of digits where they are far from it.

    Raises:
      ValueError: what `as_array` refuses, wrong number of axes, unequal features, an empty manifold, fewer than two
        manifolds, more than memory holds; of concrete points also NaN or infinite ones.
    """
    if isinstance(points, (list, tuple)):
        parts = [as_array(one, f"manifold {index} of {name}") for index, one in enumerate(points)]
        shapes = [part.shape for part in parts]
        if any(len(shape) != 2 for shape in shapes) or len({shape[1] for shape in shapes}) > 1:
            raise ValueError(f"expected a list of [M_i, N] arrays with the same N as {name}, got shapes {shapes[:8]}")
    else:
        parts = as_array(points, name)
        if parts.ndim != 3:
            raise ValueError(f"expected {name} [manifolds, examples, features], got shape {parts.shape}")
    if len(parts) < 2:
        raise ValueError(f"expected at least 2 manifolds, got {len(parts)}: capacity is about telling them apart")
    counts = np.array([len(part) for part in parts])
    shape = (len(parts), int(counts.max()), parts[0].shape[1])
    if counts.min() < 1 or shape[2] < 1:
        raise ValueError(f"expected at least 1 example per manifold and 1 feature in {name}, got shape {shape}")
    check_fits(f"{name} {list(shape)}", peak_bytes(1, *shape, 0), "take fewer examples or features")
    points, exponent = to_floating(parts, name, keep_origin=keep_origin)
    return Manifolds(points, (np.arange(shape[1]) < counts[:, None]).astype(points.dtype), exponent)


def to_floating(parts: Any, name: str = "points", *, keep_origin: bool = False) -> tuple[Float[Array, "P M N"], int]:
    """Brings arrays of `as_array` to floating point and into one [P, M, N], padded with zeros; see `read_manifolds`."""
    check_points(parts, name)
    arrays = parts if isinstance(parts, list) else [parts]
    dtype = jnp.result_type(*arrays)
    # Integers are float64 if jax_enable_x64 says so.
    dtype = jnp.promote_types(jnp.float32, dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float))
    exact = all(isinstance(array, jax.Array) or np.can_cast(array.dtype, dtype) for array in arrays)
    if not exact and all(map(is_concrete, arrays)):
        return _centered_on_host([np.asarray(part) for part in parts], dtype, keep_origin)
    if isinstance(parts, list):
        most = max(map(len, parts))
        padded = [jnp.pad(jnp.asarray(part, dtype), ((0, most - len(part)), (0, 0))) for part in parts]
        return jnp.stack(padded), 0
    return jnp.asarray(parts, dtype), 0


def _centered_on_host(parts, dtype, keep_origin):
    """Takes origin and unit out of numbers that are not exact in `dtype`, in float64, a manifold at a time."""
    # Of the largest number of all: one manifold of tiny ones must not make the others overflow.
    exponent = exponent_of(np.array([[part.min(), part.max()] for part in parts], np.float64)).item()
    scaled = lambda part: np.ldexp(np.asarray(part, np.float64), -exponent)
    # Differences to a point are exact for equal points: a constant layer becomes zeros.
    first = scaled(parts[0][0])
    origin = first + sum(np.sum(scaled(part) - first, axis=0) for part in parts) / sum(map(len, parts))
    origin = 0 if keep_origin else origin
    points = np.zeros((len(parts), max(map(len, parts)), len(first)), dtype)
    for own, part in zip(points, parts, strict=True):
        own[: len(part)] = scaled(part) - origin
    return jnp.asarray(points), exponent


def exponent_of(array: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Exponent of the power of two near the largest |value|, 0 where that needs no care; axes are kept."""
    low, high = (np.asarray(find(axis=axis, keepdims=True), np.float64) for find in (array.min, array.max))
    exponent = np.frexp(np.maximum(-low, high))[1]
    return np.where(np.abs(exponent) > COMFORTABLE, exponent, 0)


def check_points(points: Any, name: str = "points") -> None:
    """Raises ValueError naming the first bad value of concrete points; inside jit it leaves that to the status."""
    parts = points if isinstance(points, list) else [points]
    if not all(map(is_concrete, parts)):
        return
    places_of = lambda part: np.argwhere(~np.isfinite(part)) if has_bad(part) else np.empty((0, 3), int)
    found = [places_of(np.asarray(part)) for part in parts]
    if number := sum(map(len, found)):
        index = next(index for index, places in enumerate(found) if len(places))
        manifold, example, feature = (index, *found[index][0].tolist())[-3:]
        raise ValueError(
            f"expected finite {name}, got {number} NaN or infinite values, "
            f"the first in manifold {manifold}, example {example}, feature {feature}"
        )


def has_bad(array: np.ndarray) -> bool:
    """Tells whether any number is NaN or infinite, without a copy of the array."""
    with np.errstate(invalid="ignore"):
        return array.size > 0 and not (np.isfinite(array.max()) and np.isfinite(array.min()))


def from_mftma(manifolds: Iterable[Any]) -> list[np.ndarray | Array]:
    """Turns manifolds as the published tool takes them, [N, M_i], into what `manifold_geometry` takes, [M_i, N]."""
    arrays = [as_array(one, f"manifold {index}") for index, one in enumerate(manifolds)]
    if any(array.ndim != 2 for array in arrays):
        raise ValueError(f"expected a list of [N, M_i] arrays, got shapes {[array.shape for array in arrays][:8]}")
    return [array.T for array in arrays]
