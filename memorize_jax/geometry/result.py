"""What a measurement of manifolds returns."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class ManifoldGeometry(NamedTuple):
    """Geometry of P manifolds, with the evidence for every number.

    `layer_geometry` returns the same with a leading layer axis on every field.

    Attributes:
      capacity: [P], mean-field capacity alpha; NaN where `status` says the number cannot be had.
      radius: [P], in units of the distance to the manifold's centre.
      dimension: [P].
      center_correlation: [], mean |cos| between centres before the low-rank removal.
      num_center_components: int32 [], K removed.
      residual_correlation: [], mean |cos| between centres after it.
      center_cost: [], the minimised 1/2 sum of cos^2.
      retained_center_norm: [P], share of each centre that survived the removal.
      capacity_standard_error: [P], from the finite number of draws.
      kkt_residual: [P], largest distance by which a program misses optimality.
      active_fraction: [P], share of the draws that violate a constraint.
      center_norm: [P], distance of the centre from the origin after the removal, in the data's unit.
      rank: int32 [P], dimension of the span of the manifold's centred points.
      num_examples: int32 [P], examples of each manifold.
      num_draws: int32 [], Gaussian draws per manifold.
      status: int32 [P], bit flags of `geometry.status`; 0 is fine.
    """

    capacity: jax.Array
    radius: jax.Array
    dimension: jax.Array
    center_correlation: jax.Array
    num_center_components: jax.Array
    residual_correlation: jax.Array
    center_cost: jax.Array
    retained_center_norm: jax.Array
    capacity_standard_error: jax.Array
    kkt_residual: jax.Array
    active_fraction: jax.Array
    center_norm: jax.Array
    rank: jax.Array
    num_examples: jax.Array
    num_draws: jax.Array
    status: jax.Array

    def summary(self) -> dict[str, jax.Array]:
        """Summarises over manifolds as the paper does.

        Returns:
          dict of arrays without the manifold axis: capacity (harmonic mean over manifolds, the mean-field value for
          the whole set), its standard error, radius and dimension (arithmetic means), center_correlation.
        """
        capacity = 1 / jnp.mean(1 / self.capacity, axis=-1)
        # d(harmonic mean)/d(alpha_p) = (harmonic / alpha_p)^2 / P; draws of different manifolds are independent.
        weighted = self.capacity_standard_error * (capacity[..., None] / self.capacity) ** 2
        return {
            "capacity": capacity,
            "capacity_standard_error": jnp.sqrt(jnp.sum(weighted**2, axis=-1)) / self.capacity.shape[-1],
            "radius": jnp.mean(self.radius, axis=-1),
            "dimension": jnp.mean(self.dimension, axis=-1),
            "center_correlation": self.center_correlation,
        }

    def draws_needed(self, target_relative_error: float) -> jax.Array:
        """Estimates how many draws per manifold bring the summary capacity's relative standard error to a target.

        Args:
          target_relative_error: e.g. 0.01.

        Returns:
          float, without the manifold axis: num_draws (relative error / target)^2.
        """
        summary = self.summary()
        relative = summary["capacity_standard_error"] / summary["capacity"]
        return jnp.ceil(self.num_draws * (relative / target_relative_error) ** 2)
