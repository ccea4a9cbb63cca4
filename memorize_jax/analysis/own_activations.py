"""Bring your own network: geometry of activations from any framework."""

import dataclasses
import pathlib
from collections.abc import Mapping

import jax
import numpy as np
import pandas as pd

from memorize_jax import figures
from memorize_jax.analysis.manifolds import geometry_rows
from memorize_jax.data import Group, manifold_indices
from memorize_jax.geometry import ManifoldGeometry, layer_geometry
from memorize_jax.results import GEOMETRY

GROUP = "all"


@dataclasses.dataclass(frozen=True)
class Analysis:
    """Geometry of the layers of somebody's network.

    Attributes:
      geometry: ManifoldGeometry with a leading layer axis.
      layers: names in the order of that axis.
      seed: of the examples chosen and the draws.
      kappa: margin.
    """

    geometry: ManifoldGeometry
    layers: tuple[str, ...]
    seed: int
    kappa: float

    def to_dataframe(self) -> pd.DataFrame:
        """One row per layer with the columns of results/geometry.csv."""
        common = {"seed": self.seed, "epoch": 0, "group": GROUP, "kappa": self.kappa}
        return pd.DataFrame(geometry_rows(self.geometry, self.layers, common), columns=list(GEOMETRY))

    def plot(self, path: str | pathlib.Path) -> pathlib.Path:
        """Draws the four measures by layer into a file (.svg, .png, .pdf) and returns its path."""
        return figures.draw_geometry(self.to_dataframe(), pathlib.Path(path))


def analyze(
    activations,
    labels,
    *,
    seed: int = 0,
    examples_per_class: int | None = None,
    max_classes: int | None = None,
    num_draws: int = 300,
    kappa: float = 0.0,
    **options,
) -> Analysis:
    """Measures the geometry of activations, whatever framework they come from.

    Args:
      activations: name -> array [n, ...] per layer, in order, or one array [n, ...]; anything NumPy can read, such as a
        detached PyTorch tensor.
      labels: [n] integer class of each example.
      seed: of the examples chosen and the draws.
      examples_per_class: M; by default as many as the smallest class has, 50 at most.
      max_classes: use at most this many classes.
      num_draws: Gaussian draws per manifold.
      kappa: margin.
      **options: of `geometry.layer_geometry`.

    Returns:
      Analysis.

    Raises:
      ValueError: activations and labels that do not match, too few examples, NaN or infinite values.
    """
    layers = dict(activations) if isinstance(activations, Mapping) else {"activations": activations}
    layers = {name: np.asarray(values) for name, values in layers.items()}
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"expected integer labels [n], got {labels.dtype} {labels.shape}")
    for name, values in layers.items():
        if values.ndim < 2 or len(values) != len(labels):
            raise ValueError(f"expected activations [{len(labels)}, ...] for layer {name!r}, got {values.shape}")
        if values.dtype == object:
            raise ValueError(f"expected numbers for layer {name!r}, got objects")
    # Classes may be numbered with gaps: only those that occur are manifolds.
    classes, dense = np.unique(labels, return_inverse=True)
    if examples_per_class is None:
        examples_per_class = min(50, int(np.bincount(dense).min(initial=50)))
    indices = manifold_indices(
        Group(np.arange(len(labels)), dense),
        num_classes=len(classes),
        examples_per_class=examples_per_class,
        key=jax.random.key(seed),
        name="given",
        max_classes=max_classes,
    )
    points = {name: values[indices].reshape(*indices.shape, -1) for name, values in layers.items()}
    geometry = layer_geometry(points, key=jax.random.key(seed), num_draws=num_draws, kappa=kappa, **options)
    return Analysis(geometry, tuple(layers), seed, kappa)


def read_points(path: str | pathlib.Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Reads activations and labels from an npz file.

    Args:
      path: a file with `labels` [n] and either `activations` [n, ...] or one array per layer, in order.

    Returns:
      (layer -> array, labels).

    Raises:
      FileNotFoundError: no such file.
      ValueError: not an npz file of plain arrays, or no labels, or nothing but labels.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except Exception as error:  # np.load raises whatever its zip and header readers raise
        raise ValueError(f"{path}: expected an npz file of plain arrays, got {error}") from error
    if "labels" not in arrays or len(arrays) < 2:
        raise ValueError(f"{path}: expected arrays labels and activations (or one per layer), got {sorted(arrays)}")
    labels = arrays.pop("labels")
    return arrays, labels
