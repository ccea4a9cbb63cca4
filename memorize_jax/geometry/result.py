"""What measurements of manifolds return."""

import dataclasses
import html
import typing
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int32

from memorize_jax.geometry.notebook import by_layer
from memorize_jax.geometry.status import describe

NAMES = ("layers", "classes")
Own = typing.TypeVar("Own", bound="Named")


class Named:
    """Numbers of layers and manifolds with their names: what the results of all measurements have in common.

    A pytree whose leaves are the numbers: names of layers and classes stay with it through jit, vmap, pmap and
    `jax.tree.map`, and two results are of one structure only if their names are the same.
    """

    PER_MANIFOLD: ClassVar[tuple[str, ...]] = ()  # fields with a manifold axis, behind that of the layers
    layers: tuple[str, ...] | None  # names in the order of the layer axis; None where there is none
    classes: tuple | None  # of the P manifolds in their order, as the caller numbers them; None for 0 to P - 1
    num_examples: Array

    def __getitem__(self: Own, layer: str) -> Own:
        """The result of one layer, without the layer axis; KeyError if there is none of that name."""
        if self.layers is None or layer not in self.layers:
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
        return type(self)(**fields | {"classes": self.classes})

    def summary(self) -> dict[str, Array]:
        """The numbers of the whole set, without a manifold axis."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Sizes and the measures of the whole set, from the least to the largest of several layers."""
        try:
            # Fails for what only stands for numbers, before anything is added to what jax traces.
            np.asarray(self.num_examples)
            sizes = [f"{len(self.layers)} layers"] if self.layers else []
            sizes.append(f"{np.shape(self.num_examples)[-1]} classes")
            found = self.summary()
            measures = [f"{name} {_span(np.asarray(found[name]))}" for name in ("capacity", "radius", "dimension")]
            text = f"{' x '.join(sizes)}: {', '.join(measures)}"
        except Exception:  # jax rebuilds results of anything, and all of it can be printed
            text = ", ".join(f"{name}={getattr(self, name)}" for name in NAMES) + ": no concrete numbers"
        return f"{type(self).__name__}({text})"

    def _repr_html_(self) -> str:
        try:
            return by_layer(repr(self), self.summary(), self.layers)
        except Exception:  # as in repr: jax rebuilds results of anything, and inside jit there are no numbers yet
            return f"<p>{html.escape(repr(self))}</p>"


def _span(values):
    ends = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (np.nan,)
    return " to ".join(dict.fromkeys(f"{value:.3g}" for value in ends))


# `no_type_check` on results: jax rebuilds pytrees with leaves that are no arrays.
@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ManifoldGeometry(Named):
    """Geometry of P manifolds, with the evidence for every number.

    `layer_geometry` returns the same with a leading layer axis on every field; `geometry[layer]` is that of one layer.
    """

    capacity: Float[Array, "*L P"]  # mean-field capacity alpha; NaN where `status` says the number cannot be had
    radius: Float[Array, "*L P"]  # in units of the distance to the manifold's center
    dimension: Float[Array, "*L P"]  # effective dimension
    center_correlation: Float[Array, "*L"]  # mean |cos| between centers before the low-rank removal
    num_center_components: Int32[Array, "*L"]  # K removed
    residual_correlation: Float[Array, "*L"]  # mean |cos| between centers after it
    center_cost: Float[Array, "*L"]  # the minimized 1/2 sum of cos^2
    # capacity of the set (its harmonic mean) with fewer, and with more, center directions removed, see
    # `vary_components`; NaN if not asked for, or where they cannot be had
    capacity_fewer_components: Float[Array, "*L"]
    capacity_more_components: Float[Array, "*L"]
    retained_center_norm: Float[Array, "*L P"]  # share of each center that survived the removal
    capacity_standard_error: Float[Array, "*L P"]  # from the finite number of draws
    kkt_residual: Float[Array, "*L P"]  # largest distance by which a program misses optimality
    active_fraction: Float[Array, "*L P"]  # share of the draws that violate a constraint
    # distance of the center from the mean of all points after the removal, in the data's unit; infinite or 0 where
    # float32 cannot hold it
    center_norm: Float[Array, "*L P"]
    rank: Int32[Array, "*L P"]  # dimension of the span of the manifold's centered points
    num_examples: Int32[Array, "*L P"]
    num_draws: Int32[Array, "*L"]  # per manifold
    on_host: Bool[Array, "*L"]  # whether numba solved the quadratic programs on the host, and not jax on its device
    status: Int32[Array, "*L P"]  # bit flags of `geometry.status`; 0 is fine
    layers: tuple[str, ...] | None = dataclasses.field(default=None, metadata={"static": True})
    classes: tuple | None = dataclasses.field(default=None, metadata={"static": True})

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

    def summary(self) -> dict[str, Array]:
        """Summarizes over manifolds, as the published tool: harmonic mean of capacities, means of the others."""
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

    def draws_needed(self, target_relative_error: float) -> Float[Array, "*L"]:
        """Draws per manifold that bring the summary capacity's relative standard error to a target, about."""
        summary = self.summary()
        relative = summary["capacity_standard_error"] / summary["capacity"]
        return jnp.ceil(self.num_draws * (relative / target_relative_error) ** 2)


def _listed(classes, chosen, most=8):
    names = [str(name) for name, here in zip(classes, chosen, strict=True) if here]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"class{'es' * (len(names) > 1)} {', '.join(names[:most])}{more}"


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class JointGeometry(Named):
    """Joint geometry of P manifolds, with the evidence for every number.

    `layer_joint_geometry` returns the same with a leading layer axis on every field; `geometry[layer]` is that of one.
    """

    # P' / n*, n* the mean ||v||^2; an upper bound where `status` says so, NaN where it cannot be had
    capacity: Float[Array, "*L"]
    capacity_standard_error: Float[Array, "*L"]  # from the finite number of draws
    # the reciprocal of the class's mean share in ||v||^2; their harmonic mean is the capacity. NaN for a class that no
    # draw took
    class_capacity: Float[Array, "*L P"]
    radius: Float[Array, "*L"]  # effective radius, in units of the mean anchors' distance
    dimension: Float[Array, "*L"]  # effective dimension
    utility: Float[Array, "*L"]  # capacity = utility (1 + radius^-2) / dimension
    center_alignment: Float[Array, "*L"]  # mean |cos| between the mean anchors of two classes
    axis_alignment: Float[Array, "*L"]  # between the deviations from them
    center_axis_alignment: Float[Array, "*L"]  # between one class's mean anchor and another's deviation
    # like the three above without normalization: mean |inner product|, in the unit of the points' root mean square
    # length
    center_alignment_raw: Float[Array, "*L"]
    axis_alignment_raw: Float[Array, "*L"]
    center_axis_alignment_raw: Float[Array, "*L"]
    active_fraction: Float[Array, "*L"]  # share of the points with weight in a projection
    kkt_residual: Float[Array, "*L"]  # mean over the draws of the largest distance by which a half-space is missed
    num_features: Float[Array, "*L"]  # n*, random features at which half of the dichotomies separate
    rank: Int32[Array, "*L"]  # of the points whose inner products are held together
    classes_per_draw: Int32[Array, "*L"]  # P'
    num_draws: Int32[Array, "*L"]
    on_host: Bool[Array, "*L"]  # whether numba solved the quadratic programs on the host, and not jax on its device
    num_examples: Int32[Array, "*L P"]
    status: Int32[Array, "*L"]  # bit flags of `geometry.status`; 0 is fine
    layers: tuple[str, ...] | None = dataclasses.field(default=None, metadata={"static": True})
    classes: tuple | None = dataclasses.field(default=None, metadata={"static": True})

    PER_MANIFOLD: ClassVar[tuple[str, ...]] = ("class_capacity", "num_examples")

    def problems(self) -> list[str]:
        """Says what is wrong with which layer; of concrete numbers."""
        where = [f"layer {name!r}: " for name in self.layers or ()] or [""]
        status = np.bitwise_or.reduce(np.reshape(self.status, (-1, len(where))))
        return [f"{place}{describe(own)}" for place, own in zip(where, status, strict=True) if own]

    def summary(self) -> dict[str, Array]:
        """The numbers of the whole set: capacity, its standard error, radius, dimension, utility, alignments."""
        names = ("capacity", "capacity_standard_error", "radius", "dimension", "utility")
        names += ("center_alignment", "axis_alignment", "center_axis_alignment")
        return {name: jnp.asarray(getattr(self, name)) for name in names}
