"""What a measurement of manifolds returns."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.geometry.status import describe

NAMES = ("layers", "classes")


class Named:
    """Numbers of layers and manifolds with their names: what the results of all measurements have in common.

    A pytree whose leaves are the numbers: names of layers and classes stay with it through jit, vmap, pmap and
    `jax.tree.map`, and two results are of one structure only if their names are the same.

    Attributes:
      PER_MANIFOLD: fields with a manifold axis, behind that of the layers.
    """

    PER_MANIFOLD: ClassVar[tuple[str, ...]] = ()

    def __getitem__(self, layer: str):
        """The result of one layer, without the layer axis; KeyError if there is none of that name."""
        if layer not in (self.layers or ()):
            raise KeyError(f"expected a layer out of {self.layers}, got {layer!r}")
        index = self.layers.index(layer)
        if jnp.shape(self.num_examples)[-2:-1] != (len(self.layers),):
            raise KeyError(f"expected a layer axis of {len(self.layers)}, got num_examples {self.num_examples.shape}")
        # Counted from behind, so that axes that vmap has put in front do not matter.
        fields = {
            name: leaf[..., index, :] if name in self.PER_MANIFOLD else leaf[..., index]
            for name, leaf in vars(self).items()
            if name not in NAMES
        }
        return type(self)(**fields, classes=self.classes)

    def __repr__(self) -> str:
        """Names and sizes; the numbers are in `summary`."""
        names = ", ".join(f"{name}={getattr(self, name)}" for name in NAMES)
        return f"{type(self).__name__}(capacity {getattr(self.capacity, 'shape', self.capacity)}, {names})"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ManifoldGeometry(Named):
    """Geometry of P manifolds, with the evidence for every number.

    `layer_geometry` returns the same with a leading layer axis on every field; `geometry[layer]` is that of one layer.

    Attributes:
      capacity: [P], mean-field capacity alpha; NaN where `status` says the number cannot be had.
      radius: [P], in units of the distance to the manifold's centre.
      dimension: [P].
      center_correlation: [], mean |cos| between centres before the low-rank removal.
      num_center_components: int32 [], K removed.
      residual_correlation: [], mean |cos| between centres after it.
      center_cost: [], the minimised 1/2 sum of cos^2.
      capacity_fewer_components: [], capacity of the set (its harmonic mean) with fewer centre directions removed, see
        `vary_components`; NaN if not asked for, or where fewer cannot be had.
      capacity_more_components: [], the same with more.
      retained_center_norm: [P], share of each centre that survived the removal.
      capacity_standard_error: [P], from the finite number of draws.
      kkt_residual: [P], largest distance by which a program misses optimality.
      active_fraction: [P], share of the draws that violate a constraint.
      center_norm: [P], distance of the centre from the mean of all points after the removal, in the data's unit;
        infinite or 0 where float32 cannot hold it.
      rank: int32 [P], dimension of the span of the manifold's centred points.
      num_examples: int32 [P], examples of each manifold.
      num_draws: int32 [], Gaussian draws per manifold.
      status: int32 [P], bit flags of `geometry.status`; 0 is fine.
      layers: names in the order of the layer axis; None where there is none.
      classes: of the P manifolds in their order, as the caller numbers them; None for 0 to P - 1.
    """

    capacity: jax.Array
    radius: jax.Array
    dimension: jax.Array
    center_correlation: jax.Array
    num_center_components: jax.Array
    residual_correlation: jax.Array
    center_cost: jax.Array
    capacity_fewer_components: jax.Array
    capacity_more_components: jax.Array
    retained_center_norm: jax.Array
    capacity_standard_error: jax.Array
    kkt_residual: jax.Array
    active_fraction: jax.Array
    center_norm: jax.Array
    rank: jax.Array
    num_examples: jax.Array
    num_draws: jax.Array
    status: jax.Array
    layers: tuple[str, ...] | None = dataclasses.field(default=None, metadata={"static": True})
    classes: tuple[int, ...] | None = dataclasses.field(default=None, metadata={"static": True})

    PER_MANIFOLD: ClassVar[tuple[str, ...]] = (
        *("capacity", "radius", "dimension", "retained_center_norm", "capacity_standard_error", "kkt_residual"),
        *("active_fraction", "center_norm", "rank", "num_examples", "status"),
    )

    def problems(self) -> list[str]:
        """Says what is wrong with which class of which layer, a sentence for each kind; of concrete numbers."""
        names = self.layers or (None,)
        num_manifolds = np.shape(self.status)[-1]
        classes = self.classes or range(num_manifolds)
        status = np.bitwise_or.reduce(np.reshape(self.status, (-1, len(names), num_manifolds)))
        single = np.reshape(self.num_examples, (-1, num_manifolds))[0] < 2
        # Where every manifold is a single point, that is what was asked for.
        found = [("", single, "a single example, so no radius and no dimension")] if not single.all() else []
        for name, own in zip(names, status, strict=True):
            where = f"layer {name!r}, " if self.layers else ""
            found += [(where, own == value, describe(value)) for value in np.unique(own[own > 0])]
        return [f"{where}{_listed(classes, chosen)}: {reason}" for where, chosen, reason in found if chosen.any()]

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


def _listed(classes, chosen, most=8):
    names = [str(name) for name, here in zip(classes, chosen, strict=True) if here]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"class{'es' * (len(names) > 1)} {', '.join(names[:most])}{more}"
