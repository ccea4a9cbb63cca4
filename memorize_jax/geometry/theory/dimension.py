"""Dimension of all points together, whatever their class."""

import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from memorize_jax.geometry.eigen import symmetric_eigen
from memorize_jax.geometry.notebook import by_field
from memorize_jax.geometry.points import as_array, to_floating


class TotalDimension(NamedTuple):
    """Dimension of a cloud of points."""

    participation_ratio: Float[Array, ""]  # (sum of variances)^2 / sum of squared variances over principal axes
    # least number of principal axes that hold the asked share of the variance
    explained_variance: Int32[Array, ""]

    _repr_html_ = by_field


@jax.default_matmul_precision("highest")
def total_dimension(points: Any, *, share: float = 0.9) -> TotalDimension:
    """Measures the dimension of all points taken together.

        participation ratio = (sum_i lambda_i)^2 / sum_i lambda_i^2,  lambda the covariance's eigenvalues

    Of points [P, M, N] or [n, N]; `share` of the variance is in (0, 1]. NaN and 0 for points that are all the same.
    """
    points = as_array(points)
    if points.ndim not in (2, 3) or not all(points.shape):
        raise ValueError(f"expected points [P, M, N] or [n, N], got shape {points.shape}")
    if not isinstance(share, numbers.Real) or not 0 < share <= 1:
        raise ValueError(f"expected share in (0, 1], got {share!r}")
    points = to_floating(points.reshape(-1, *points.shape[-2:]))[0].reshape(-1, points.shape[-1])
    # Differences to a point are exact for equal points, and where an offset is large.
    offsets = points - points[0]
    centered = offsets - jnp.mean(offsets, axis=0)
    size = jnp.max(jnp.abs(centered))
    centered = centered / jnp.where(size > 0, size, 1)
    # The smaller of the two products has the same non-zero eigenvalues.
    gram = centered @ centered.T if centered.shape[0] <= centered.shape[1] else centered.T @ centered
    values = jnp.maximum(symmetric_eigen(gram)[0][::-1], 0)
    cumulative = jnp.cumsum(values)
    # Rounding must not ask for one axis more than exact arithmetic would.
    needed = jnp.sum(cumulative < (share - 10 * jnp.finfo(values.dtype).eps) * cumulative[-1]) + 1
    return TotalDimension(
        participation_ratio=cumulative[-1] ** 2 / jnp.sum(values**2),
        explained_variance=jnp.where(cumulative[-1] > 0, needed, 0).astype(jnp.int32),
    )
