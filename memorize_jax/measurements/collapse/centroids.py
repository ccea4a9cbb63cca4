"""Neural collapse of one layer, from the means of its classes; all in float64, with no matrix of features."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Directions of the class means whose eigenvalue is below this share of the largest do not count.
CUT = 1e-3


class Centroids(NamedTuple):
    """Means of C classes about their own mean.

    Attributes:
      center: mean of the class means.
      offsets: class means about it.
      gram: inner products of the offsets.
    """

    center: Float[np.ndarray, " d"]
    offsets: Float[np.ndarray, "C d"]
    gram: Float[np.ndarray, "C C"]


class WithinAxes(NamedTuple):
    """What the variation within classes is measured along.

    Attributes:
      axes: T = Λ⁻¹ U' M, M the centroids' offsets, U and Λ the leading eigenvectors and eigenvalues of M M'; rows of
        zeros stand for those that are cut.
      places: T times each centroid.
      rank: number of axes that are kept.
    """

    axes: Float[np.ndarray, "C d"]
    places: Float[np.ndarray, "C C"]
    rank: int


def find_centroids(means: Float[np.ndarray, "C d"]) -> Centroids:
    """Centers the means of classes."""
    center = means.mean(axis=0)
    offsets = means - center
    return Centroids(center, offsets, offsets @ offsets.T)


def within_axes(centroids: Centroids) -> WithinAxes:
    """Finds the axes along which variation within classes, in units of that between them, has the sum NC1.

        NC1 = tr(S_W S_B^+) / C = mean_i ||T (x_i - mu_{y_i})||^2
        S_W = mean_i (x_i - mu_{y_i})(x_i - mu_{y_i})',   S_B = mean_c (mu_c - mu)(mu_c - mu)'

    Neither matrix is made: with S_B = M'M / C its pseudo-inverse is C M' (MM')^+ (MM')^+ M, of a C x C matrix.

    References:
      Papyan, Han & Donoho 2020.
    """
    values, vectors = np.linalg.eigh(centroids.gram)
    kept = values > CUT * values[-1]
    inverse = np.where(kept, 1 / np.where(kept, values, 1), 0)
    axes = inverse[:, None] * (vectors.T @ centroids.offsets)
    along = centroids.gram + (centroids.offsets @ centroids.center)[:, None]
    return WithinAxes(axes, (inverse[:, None] * (vectors.T @ along)).T, int(kept.sum()))


def norm_spread(centroids: Centroids) -> float:
    """Standard deviation over mean of the centroids' distances from their center: 0 where collapse is complete."""
    norms = np.sqrt(np.diag(centroids.gram))
    return float(norms.std() / norms.mean())


def angle_deviation(centroids: Centroids) -> float:
    """How far angles between centroids are from those of a regular simplex: mean over pairs of |cos + 1/(C-1)|."""
    norms = np.sqrt(np.diag(centroids.gram))
    pairs = ~np.eye(len(norms), dtype=bool)
    cosines = (centroids.gram / np.outer(norms, norms))[pairs]
    return float(np.abs(cosines + 1 / (len(norms) - 1)).mean())


def duality_gap(kernel: Float[np.ndarray, "d C"], centroids: Centroids) -> float:
    """How far the last layer's weights are from its inputs' centroids: || W'/||W|| - M/||M|| ||, Frobenius; 0 to 2."""
    weights = np.asarray(kernel, np.float64).T
    return float(
        np.linalg.norm(weights / np.linalg.norm(weights) - centroids.offsets / np.sqrt(np.trace(centroids.gram)))
    )


def closest_pair(centroids: Centroids) -> float:
    """Smallest squared distance between two centroids."""
    squares = np.diag(centroids.gram)
    distances = squares[:, None] + squares - 2 * centroids.gram
    return float(distances[~np.eye(len(squares), dtype=bool)].min(initial=np.inf))
