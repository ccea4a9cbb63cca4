"""Layers drawn in the plane by UMAP; the only file that knows umap-learn."""

import importlib.metadata
import warnings
from typing import Any, cast

import numpy as np
from jaxtyping import Float


def umap_version() -> str:
    """The installed version of umap-learn.

    Raises:
      ValueError: it is not installed; says how to.
    """
    try:
        return importlib.metadata.version("umap-learn")
    except importlib.metadata.PackageNotFoundError as error:
        raise ValueError("this step needs umap-learn: pip install 'memorize_jax[umap]'") from error


def embed(points: Float[np.ndarray, "n d"], *, seed: int, num_neighbors: int = 15) -> Float[np.ndarray, "n 2"]:
    """Places points in the plane so that near ones stay near; distances between far ones mean nothing.

    Args:
      points: finite.
      seed: the same one gives the same places, at the price of one thread.
      num_neighbors: of a point that are kept near it; fewer where there are fewer points.

    Raises:
      ValueError: umap-learn is not installed, too few points, or points that are not finite.

    References:
      McInnes, Healy, Melville 2018; Stephenson et al. 2021, figures 2B and A.2.
    """
    umap_version()
    if len(points) < 4:
        raise ValueError(f"expected at least 4 points to embed, got {len(points)}")
    if not np.isfinite(points).all():
        raise ValueError("expected finite points to embed, got NaN or infinite ones")
    # Here, for importing it compiles for many seconds.
    import umap

    # Where it is not installed, a type checker takes `umap` for this room.
    library = cast(Any, umap)

    reducer = library.UMAP(n_neighbors=min(num_neighbors, len(points) - 1), random_state=seed, n_jobs=1)
    with warnings.catch_warnings():
        # Of a graph in pieces, as classes that are learned make it: it then starts from a simpler place.
        warnings.filterwarnings("ignore", module=r"umap|sklearn|pynndescent|numba|scipy")
        return np.asarray(reducer.fit_transform(np.asarray(points, np.float32)), np.float32)
