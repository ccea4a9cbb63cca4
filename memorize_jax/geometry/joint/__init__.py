"""Joint geometry: capacity, radius and dimension of manifolds as they lie to one another."""

from memorize_jax.geometry.joint.measure import joint_geometry, layer_joint_geometry
from memorize_jax.geometry.joint.result import JointGeometry

__all__ = ["JointGeometry", "joint_geometry", "layer_joint_geometry"]
