"""Geometry of class manifolds: arrays in, records out; knows no network."""

from memorize_jax.geometry.anchors import (
    Anchors,
    AnchorStatistics,
    anchor_statistics,
    capacity_radius_dimension,
    solve_anchors,
)
from memorize_jax.geometry.batching import peak_bytes
from memorize_jax.geometry.centers import CenterStructure, center_structure, max_num_components
from memorize_jax.geometry.measure import joint_geometry, layer_geometry, layer_joint_geometry, manifold_geometry
from memorize_jax.geometry.options import GeometryOptions
from memorize_jax.geometry.participation import (
    LayerParticipation,
    ParticipationRatio,
    layer_participation,
    participation_ratio,
)
from memorize_jax.geometry.points import from_mftma
from memorize_jax.geometry.result import JointGeometry, ManifoldGeometry
from memorize_jax.geometry.streaming import (
    streamed_geometries,
    streamed_layer_geometry,
    streamed_participation,
)
from memorize_jax.geometry.theory.ball import ball_capacity
from memorize_jax.geometry.theory.dimension import TotalDimension, total_dimension
from memorize_jax.geometry.theory.simulated import SimulatedCapacity, simulated_capacity

__all__ = [
    "AnchorStatistics",
    "Anchors",
    "CenterStructure",
    "GeometryOptions",
    "JointGeometry",
    "LayerParticipation",
    "ManifoldGeometry",
    "ParticipationRatio",
    "SimulatedCapacity",
    "TotalDimension",
    "anchor_statistics",
    "ball_capacity",
    "capacity_radius_dimension",
    "center_structure",
    "from_mftma",
    "joint_geometry",
    "layer_geometry",
    "layer_joint_geometry",
    "layer_participation",
    "manifold_geometry",
    "max_num_components",
    "participation_ratio",
    "peak_bytes",
    "simulated_capacity",
    "solve_anchors",
    "streamed_geometries",
    "streamed_layer_geometry",
    "streamed_participation",
    "total_dimension",
]
