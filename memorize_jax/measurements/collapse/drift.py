"""How far examples have moved from the centroid of their true class to that of the class they were assigned to."""

import numpy as np
from jaxtyping import Float, Int

from memorize_jax.measurements.collapse.centroids import Centroids


def about_center(centroids: Centroids, products: Float[np.ndarray, "n C"]) -> Float[np.ndarray, "n C"]:
    """Inner products, with the centroids' offsets, of points about the centroids' center instead of about 0."""
    return products - centroids.offsets @ centroids.center


def drifts(
    centroids: Centroids,
    products: Float[np.ndarray, "n C"],
    true: Int[np.ndarray, " n"],
    assigned: Int[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Measures the drift of examples whose assigned class is not their true one.

        drift_i = (x_i - mu_true) . (mu_assigned - mu_true) / ||mu_assigned - mu_true||^2

    0 at the centroid of the true class, 1 at that of the assigned one.

    Args:
      products: of `about_center`.

    References:
      Dankers & Titov 2024, "Generalisation first, memorisation second?".
    """
    rows, gram = np.arange(len(true)), centroids.gram
    moved = products[rows, assigned] - products[rows, true] - gram[true, assigned] + gram[true, true]
    return moved / (gram[assigned, assigned] + gram[true, true] - 2 * gram[true, assigned])


def nearest(centroids: Centroids, products: Float[np.ndarray, "n C"]) -> Int[np.ndarray, " n"]:
    """The class whose centroid is nearest; `products` of `about_center`."""
    return np.argmin(np.diag(centroids.gram) - 2 * products, axis=1)
