"""Geometry of the class manifolds of a network: groups of examples in, a geometry of every layer out."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int, Shaped

from memorize_jax.activations import layer_activations
from memorize_jax.adapters import AnyNetwork
from memorize_jax.data import ChannelStatistics, standardize
from memorize_jax.geometry import (
    JointGeometry,
    LayerParticipation,
    ManifoldGeometry,
    layer_geometry,
    layer_joint_geometry,
    layer_participation,
    streamed_geometries,
    streamed_participation,
)
from memorize_jax.geometry.notebook import by_field

# All layers of a group are held at once up to this size, else as many classes at a time as fit into the other.
WHOLE_BYTES, PART_BYTES = 2**29, 2**27


class NetworkGeometry(NamedTuple):
    """Both geometries of the layers of a network, on the same points.

    Attributes:
      mean_field: ManifoldGeometry with a leading layer axis: the input first.
      joint: JointGeometry, likewise; None where it was not measured.
    """

    mean_field: ManifoldGeometry
    joint: JointGeometry | None

    _repr_html_ = by_field


def network_geometries(
    model: AnyNetwork,
    variables: dict,
    images: Shaped[Array | np.ndarray, "P M ..."],
    *,
    statistics: ChannelStatistics | None,
    layers: tuple[str, ...],
    key: jax.Array,
    joint_draws: int = 200,
    **options: Any,
) -> NetworkGeometry:
    """Measures the mean-field and the joint geometry of every layer for one group of examples; jit-able as it is.

    The network runs once for both. If the activations of all layers together would take more than `WHOLE_BYTES`, it
    runs on a few classes at a time, more than once (`geometry.streamed_geometries`).

    Args:
      model: the network.
      variables: params and batch_stats.
      images: M examples of each of P classes.
      statistics: standardize the images.
      layers: names of the analyzed layers.
      key: the same for all groups and epochs makes their differences free of sampling noise.
      joint_draws: of the joint geometry; 0 measures none.
      **options: of `geometry.layer_geometry`; the margin and the devices are those of both.
    """
    layers_of = _layers_of(model, variables, statistics, layers)
    shared = {name: options[name] for name in ("kappa", "devices") if name in options}
    joint = {"num_draws": joint_draws, **shared} if joint_draws else None
    if at_a_time := _classes_at_a_time(layers_of, images):
        options |= {"manifolds_at_a_time": at_a_time, "key": key, "joint": joint}
        return NetworkGeometry(*streamed_geometries(layers_of, images, **options))
    points = _points(layers_of, images)
    found = layer_geometry(points, key=key, **options)
    return NetworkGeometry(found, layer_joint_geometry(points, key=key, **joint) if joint else None)


def _layers_of(model, variables, statistics, layers):
    """The function that shows the layers of images as vectors."""

    def layers_of(own_images):
        activations: Any = layer_activations(model, variables, standardize(own_images, statistics), layers)
        return {name: value.reshape(value.shape[0], -1) for name, value in activations.items()}

    return layers_of


def _classes_at_a_time(layers_of, images):
    """As many classes as are shown at a time; 0 for all."""
    shapes = jax.eval_shape(layers_of, jax.ShapeDtypeStruct(images.shape[1:], images.dtype))
    class_bytes = sum(shape.size * shape.dtype.itemsize for shape in shapes.values())
    return max(1, PART_BYTES // class_bytes) if images.shape[0] * class_bytes > WHOLE_BYTES else 0


def _points(layers_of, images):
    activations = layers_of(images.reshape(-1, *images.shape[2:]))
    return {name: value.reshape(*images.shape[:2], -1) for name, value in activations.items()}


def network_geometry(model: AnyNetwork, variables: dict, images: jax.Array, **options) -> ManifoldGeometry:
    """Measures the mean-field geometry alone; arguments and options of `network_geometries`."""
    return network_geometries(model, variables, images, **options, joint_draws=0).mean_field


# At module level, so that the seeds of an ensemble, and all steps of a study, share what is compiled.
@functools.partial(jax.jit, static_argnames=("model", "layers", "options"))
def compiled_network_geometries(model, variables, images, statistics, key, *, layers, options) -> NetworkGeometry:
    """`network_geometries` as one program; `options` as a tuple of pairs."""
    return network_geometries(model, variables, images, statistics=statistics, layers=layers, key=key, **dict(options))


# A program of its own, so that the geometry is computed as it always was, to the last bit.
@functools.partial(jax.jit, static_argnames=("model", "layers"))
def compiled_network_participation(model, variables, images, statistics, *, layers) -> LayerParticipation:
    """Measures the participation ratios of the input and of every layer; arguments of `network_geometries`."""
    layers_of = _layers_of(model, variables, statistics, layers)
    if at_a_time := _classes_at_a_time(layers_of, images):
        return streamed_participation(layers_of, images, manifolds_at_a_time=at_a_time)
    return layer_participation(_points(layers_of, images))


def group_geometry(
    model: AnyNetwork,
    variables: dict,
    images: Mapping[str, Shaped[Array | np.ndarray, "_ ..."]],
    indices: Mapping[str, Int[Array | np.ndarray, "P M"]],
    **options: Any,
) -> dict[str, ManifoldGeometry]:
    """Measures every layer for every group of examples, as part of a jitted evaluation step.

    Groups are computed one after another, so the memory is that of one group's activations.

    Args:
      model: the network.
      variables: params and batch_stats.
      images: group -> the images its indices point into; several groups may share an array.
      indices: group -> fixed examples (`data.manifold_indices`).
      **options: of `network_geometry`.
    """
    return {
        group: network_geometry(model, variables, images[group][chosen], **options) for group, chosen in indices.items()
    }
