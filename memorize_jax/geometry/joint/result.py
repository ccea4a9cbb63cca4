"""What a measurement of the joint geometry returns."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.geometry.result import Named
from memorize_jax.geometry.status import describe


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class JointGeometry(Named):
    """Joint geometry of P manifolds, with the evidence for every number.

    `layer_joint_geometry` returns the same with a leading layer axis on every field; `geometry[layer]` is that of one.

    Attributes:
      capacity: [], P' / n*, n* the mean ||v||^2; an upper bound where `status` says so, NaN where it cannot be had.
      capacity_standard_error: [], from the finite number of draws.
      class_capacity: [P], the reciprocal of the class's mean share in ||v||^2; their harmonic mean is the capacity. NaN
        for a class that no draw took.
      radius: [], effective radius, in units of the mean anchors' distance.
      dimension: [], effective dimension.
      utility: [], capacity = utility (1 + radius^-2) / dimension.
      center_alignment: [], mean |cos| between the mean anchors of two classes.
      axis_alignment: [], between the deviations from them.
      center_axis_alignment: [], between one class's mean anchor and another's deviation.
      center_alignment_raw: [], like the three above without normalization: mean |inner product|, in the unit of the
        points' root mean square length.
      axis_alignment_raw: [].
      center_axis_alignment_raw: [].
      active_fraction: [], share of the points with weight in a projection.
      kkt_residual: [], mean over the draws of the largest distance by which a half-space is missed.
      num_features: [], n*, random features at which half of the dichotomies separate.
      rank: int32 [], of the points whose inner products are held together.
      classes_per_draw: int32 [], P'.
      num_draws: int32 [].
      num_examples: int32 [P].
      status: int32 [], bit flags of `geometry.status`; 0 is fine.
      layers: names in the order of the layer axis; None where there is none.
      classes: of the P manifolds, as the caller numbers them; None for 0 to P - 1.
    """

    capacity: jax.Array
    capacity_standard_error: jax.Array
    class_capacity: jax.Array
    radius: jax.Array
    dimension: jax.Array
    utility: jax.Array
    center_alignment: jax.Array
    axis_alignment: jax.Array
    center_axis_alignment: jax.Array
    center_alignment_raw: jax.Array
    axis_alignment_raw: jax.Array
    center_axis_alignment_raw: jax.Array
    active_fraction: jax.Array
    kkt_residual: jax.Array
    num_features: jax.Array
    rank: jax.Array
    classes_per_draw: jax.Array
    num_draws: jax.Array
    num_examples: jax.Array
    status: jax.Array
    layers: tuple[str, ...] | None = dataclasses.field(default=None, metadata={"static": True})
    classes: tuple[int, ...] | None = dataclasses.field(default=None, metadata={"static": True})

    PER_MANIFOLD: ClassVar[tuple[str, ...]] = ("class_capacity", "num_examples")

    def problems(self) -> list[str]:
        """Says what is wrong with which layer; of concrete numbers."""
        names = self.layers or (None,)
        status = np.bitwise_or.reduce(np.reshape(self.status, (-1, len(names))))
        where = [f"layer {name!r}: " if self.layers else "" for name in names]
        return [f"{place}{describe(own)}" for place, own in zip(where, status, strict=True) if own]

    def summary(self) -> dict[str, jax.Array]:
        """The numbers of the whole set: capacity, its standard error, radius, dimension, utility, alignments."""
        named = ("capacity", "capacity_standard_error", "radius", "dimension", "utility")
        aligned = ("center_alignment", "axis_alignment", "center_axis_alignment")
        return {name: jnp.asarray(getattr(self, name)) for name in (*named, *aligned)}
