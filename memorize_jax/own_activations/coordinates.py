"""Rows of wide layers in as many coordinates as there are rows: geometry sees inner products alone."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int, Shaped

from memorize_jax.geometry.points import exponent_of

# Rows up to which their inner products are cheaper than what they save.
MOST_ROWS = 2000
# Features of each row from which on it is worth its while.
FEATURES_PER_ROW = 8
FEATURES_AT_A_TIME = 2**14
# Eigenvalues below this share of the largest are what float64 leaves of zero.
LEAST_EIGENVALUE = 1e-13


def in_coordinates(
    layers: Mapping[str, Shaped[np.ndarray, "n _"]], rows: Int[np.ndarray, " r"]
) -> dict[str, Shaped[np.ndarray, "n _"]]:
    """Turns layers with many more features than rows, so that the same points have one coordinate for each row.

        x_i . x_j stays what it is about one of the points:   G = U diag(e) U',   coordinates U sqrt(e)

    Rows that are not asked for become zero. Other layers, all where there are more than `MOST_ROWS`, and those whose
    squares float64 might not hold stay as they are.
    """
    if len(rows) > MOST_ROWS:
        return dict(layers)
    is_wide = lambda values: values.shape[1] > FEATURES_PER_ROW * len(rows) and not exponent_of(values[rows]).any()
    return {name: _turned(values, rows) if is_wide(values) else values for name, values in layers.items()}


def _turned(values, rows):
    gram = np.zeros((len(rows), len(rows)))
    for start in range(0, values.shape[1], FEATURES_AT_A_TIME):
        part = values[rows, start : start + FEATURES_AT_A_TIME].astype(np.float64)
        # Differences to a point are exact for equal points.
        part -= part[0].copy()
        part -= part.mean(axis=0)
        gram += part @ part.T
    eigenvalues, vectors = np.linalg.eigh(gram)
    eigenvalues = np.where(eigenvalues > LEAST_EIGENVALUE * eigenvalues[-1], eigenvalues, 0)
    turned = np.zeros((len(values), len(rows)))
    turned[rows] = vectors * np.sqrt(eigenvalues)
    return turned
