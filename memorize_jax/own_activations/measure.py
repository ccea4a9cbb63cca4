"""All measures of chosen rows of all layers, by one key."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, PRNGKeyArray, Shaped

from memorize_jax.geometry import (
    JointGeometry,
    LayerParticipation,
    ManifoldGeometry,
    layer_geometry,
    layer_joint_geometry,
    layer_participation,
)
from memorize_jax.geometry.status import INVALID
from memorize_jax.own_activations.coordinates import alike


class Measured(NamedTuple):
    """Geometry of the layers of somebody's network.

    Attributes:
      geometry: with an axis of layers; `geometry.classes` are the caller's labels.
      joint: of the same examples, likewise; None where it was not measured.
      participation: how many directions these examples vary in, together and class by class; likewise.
    """

    geometry: ManifoldGeometry
    joint: JointGeometry | None
    participation: LayerParticipation


def measure_rows(
    layers: Mapping[str, Shaped[np.ndarray, "n _"]],
    indices: Mapping[Any, Int[np.ndarray, " M"]],
    *,
    key: PRNGKeyArray,
    num_draws: int = 300,
    kappa: float = 0.0,
    joint_draws: int = 200,
    **options,
) -> Measured:
    """Measures mean-field geometry, joint geometry and participation ratios of the rows that stand for each class.

    Args:
      layers: of finite numbers.
      indices: name of a class -> rows that stand for it.
      key: of the draws.
      num_draws: Gaussian draws per manifold.
      kappa: margin.
      joint_draws: Gaussian draws of the joint geometry; 0 measures none.
      **options: of `geometry.layer_geometry`.

    Warns:
      UserWarning: as both geometries do, of each problem once.
    """
    points = {name: [values[own] for own in indices.values()] for name, values in layers.items()}
    # Other options ask for the features themselves, or count them.
    points = points if options else alike(points)
    shared = {"key": key, "kappa": kappa, "classes": list(indices)}
    geometry = layer_geometry(points, num_draws=num_draws, **shared, **options)
    joint = _joint(points, geometry, num_draws=joint_draws, **shared) if joint_draws else None
    return Measured(geometry, joint, layer_participation(points))


def _joint(points, geometry, **options):
    """The joint geometry, with warnings of those layers that have not been warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        joint = layer_joint_geometry(points, **options)
    if problems := joint_problems(joint, geometry):
        warnings.warn("; ".join(problems), stacklevel=3)
    return joint


def joint_problems(joint: JointGeometry, geometry: ManifoldGeometry) -> list[str]:
    """Says what is wrong with the joint geometry of those layers whose mean-field geometry says nothing."""
    is_known = np.all(np.asarray(geometry.status) & INVALID, axis=1)
    return dataclasses.replace(joint, status=np.where(is_known, 0, joint.status)).problems()
