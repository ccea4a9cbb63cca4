"""Centroids of one labeling at one layer, and what keeps them from being used."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from memorize_jax.measurements.collapse.centroids import (
    Centroids,
    WithinAxes,
    closest_pair,
    find_centroids,
    within_axes,
)

# Squared distances below this share of the points' mean square are no more than rounding of float32.
NEAR = 1e-6
# Bit flags of the table's status: why numbers of a row are missing.
NOT_FINITE, EMPTY_CLASS, COINCIDE, NO_REFERENCE, NONE_WRONG, AT_CENTER = 1, 2, 4, 8, 16, 32
MESSAGES = {
    NOT_FINITE: "activations are NaN or infinite",
    EMPTY_CLASS: "a class has no examples in the group",
    COINCIDE: "the centroids of the classes coincide",
    NO_REFERENCE: "no unpermuted centroids to compare with: a class has none, or two coincide",
    NONE_WRONG: "every permuted example was given its own label back",
    AT_CENTER: "the centroid of a class lies at the center of all, so that it has no angle",
}


class ClassMeans(NamedTuple):
    """Centroids of one labeling at one layer.

    Attributes:
      centroids: None where a class is empty or a value is not finite.
      within: None where all centroids coincide, too.
      is_spread: whether each of them differs from their center.
      is_apart: whether each of them differs from every other.
      status: of the flags above.
    """

    centroids: Centroids | None
    within: WithinAxes | None
    is_spread: bool
    is_apart: bool
    status: int


def class_means(sums: Float[np.ndarray, "C d"], counts: Int[np.ndarray, " C"], size: float) -> ClassMeans:
    """Finds the centroids of classes from the sums of their points.

    Args:
      counts: examples of each class.
      size: mean square distance of the points of the layer from their mean.
    """
    if not (np.isfinite(sums).all() and np.isfinite(size)):
        return ClassMeans(None, None, False, False, NOT_FINITE)
    if not counts.all():
        return ClassMeans(None, None, False, False, EMPTY_CLASS)
    centroids = find_centroids(sums / counts[:, None])
    squares = np.diag(centroids.gram)
    if not squares.max() > NEAR * size:
        return ClassMeans(centroids, None, False, False, COINCIDE)
    is_spread, is_apart = (bool(least > NEAR * size) for least in (squares.min(), closest_pair(centroids)))
    return ClassMeans(centroids, within_axes(centroids), is_spread, is_apart, 0)
