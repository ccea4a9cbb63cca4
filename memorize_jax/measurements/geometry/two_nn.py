"""Dimension of points by their two nearest neighbors; the only file that knows scikit-dimension."""

import importlib.metadata
import warnings

import numpy as np
from jaxtyping import Float

# The linear fit leaves out the largest tenth of the ratios, and needs two others.
FEWEST_POINTS = 3


def skdim_version() -> str:
    """The installed version of scikit-dimension; raises ValueError, saying how to install it, if there is none."""
    try:
        return importlib.metadata.version("scikit-dimension")
    except importlib.metadata.PackageNotFoundError as error:
        raise ValueError("two_nn needs scikit-dimension: pip install 'memorize_jax[dimension]'") from error


def two_nn_dimension(points: Float[np.ndarray, "n d"]) -> float:
    """Measures the dimension of the surface that points lie on, from distances alone.

    With r1 and r2 the distances of a point to its nearest and second nearest neighbor, r2 / r1 has the distribution
    1 - (r2 / r1)^-dimension wherever points are spread evenly; the slope of a line through the origin gives it.

    Returns:
      NaN for points that are not finite, or of which too few differ, or whose two nearest neighbors are all equally
      far, as on a grid. Points that coincide count once.

    References:
      Facco, d'Errico, Rodriguez & Laio 2017, equation 5.
    """
    points = np.asarray(points, np.float64)
    # Their first places, in the order of the points: np.unique sorts them.
    places = np.sort(np.unique(points, axis=0, return_index=True)[1]) if np.isfinite(points).all() else np.empty(0, int)
    if len(places) < FEWEST_POINTS:
        return float("nan")
    points = points[places]
    # Here, for importing it takes seconds.
    import skdim  # pyright: ignore[reportMissingImports] (an option)

    estimator = skdim.id.TwoNN()
    with warnings.catch_warnings():
        # Of points that are so near that their distance is rounded to 0, which it leaves out.
        warnings.filterwarnings("ignore", message="Dropping")
        try:
            found = float(estimator.fit(points - points.mean(axis=0)).dimension_)
        except ValueError:
            return float("nan")
    # Up to rounding of the distances.
    return found if found > 1e-9 else float("nan")
