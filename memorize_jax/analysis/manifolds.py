"""Geometry of the class manifolds of a network: groups of examples in, table rows out."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int, Shaped

from memorize_jax.activations import layer_activations
from memorize_jax.adapters import AnyNetwork
from memorize_jax.data import ChannelStatistics, PermutedLabels, Splits, standardize
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
from memorize_jax.geometry.status import CHECKPOINT_DAMAGED, INVALID
from memorize_jax.progress import warn
from memorize_jax.storage.tables import ADDED, AROUND_K, GEOMETRY

# All layers of a group are held at once up to this size, else as many classes at a time as fit into the other.
WHOLE_BYTES, PART_BYTES = 2**29, 2**27
# Of which a table keeps how far they move with the choice of examples.
SPREAD = ("capacity", "radius", "dimension", "joint_capacity")


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


def geometry_rows(
    geometry: ManifoldGeometry,
    layers: tuple[str, ...],
    common: Mapping,
    *,
    joint: JointGeometry | None = None,
    participation: LayerParticipation | None = None,
    numbers: tuple[int, ...] | None = None,
) -> list[dict]:
    """Turns the result for one group into table rows, one a layer; a class without numbers makes the summary NaN.

    Args:
      geometry: with a leading layer axis.
      layers: names of those wanted; each is looked up in the result.
      common: columns that are the same in every row.
      joint: of the same layers; None where it was not measured.
      participation: of these layers, in their order; None where it was not measured.
      numbers: of these layers in the paper's table; None for their positions.
    """
    host, joint, participation = jax.tree.map(np.asarray, (geometry, joint, participation))
    rows = []
    for place, (name, number) in enumerate(zip(layers, numbers or range(len(layers)), strict=True)):
        own = host[name]
        rows.append(
            {
                **dict.fromkeys(ADDED & set(GEOMETRY), float("nan")),
                **common,
                "layer": name,
                "layer_number": number,
                **{column: float(value) for column, value in own.summary().items()},
                "num_center_components": int(own.num_center_components),
                "residual_correlation": float(own.residual_correlation),
                **{column: float(getattr(own, column)) for column in AROUND_K},
                "least_retained_center_norm": float(np.min(own.retained_center_norm)),
                "largest_kkt_residual": float(np.max(own.kkt_residual)),
                "num_classes": len(own.capacity),
                "num_valid_classes": int(np.sum(np.isfinite(own.capacity))),
                "examples_per_class": int(own.num_examples.min()),
                "num_draws": int(own.num_draws),
                "status": int(np.bitwise_or.reduce(own.status)),
                **({} if joint is None else _joint_columns(joint[name])),
                **({} if participation is None else _participation_columns(participation, place)),
                "example_repeats": 1,
            }
        )
    return rows


def _joint_columns(own):
    columns = {f"joint_{name}": float(value) for name, value in own.summary().items()}
    columns |= {f"joint_{name}": float(getattr(own, name)) for name in ("active_fraction", "kkt_residual")}
    return columns | {"joint_classes": int(own.classes_per_draw), "joint_status": int(own.status)}


def _participation_columns(participation, place):
    """Of one layer; a class without a number makes the mean over classes NaN."""
    together, by_class = (jax.tree.map(lambda leaf: leaf[place], part) for part in participation)
    return {
        "participation_ratio": float(together.plain),
        "participation_ratio_corrected": float(together.corrected),
        "class_participation_ratio": float(by_class.plain.mean()),
        "class_participation_ratio_corrected": float(by_class.corrected.mean()),
        "participation_status": int(together.status | np.bitwise_or.reduce(by_class.status)),
    }


def with_example_spread(repeats: Sequence[list[dict]]) -> list[dict]:
    """Adds to the rows of the first choice of examples how far others move their numbers.

    Of `geometry_rows` of the same layers for every choice the first are returned, with standard deviations over all
    choices, NaN where there is but one or any is NaN.
    """
    rows = [{**row, "example_repeats": len(repeats)} for row in repeats[0]]
    if len(repeats) > 1:
        for row, *others in zip(rows, *repeats[1:], strict=True):
            for column in SPREAD:
                values = [own[column] for own in (row, *others)]
                row[f"{column}_example_sd"] = float(np.std(values, ddof=1))
    return rows


def missing_rows(
    layers: tuple[str, ...], common: Mapping, *, shape: tuple[int, int], num_draws: int, numbers: tuple[int, ...]
) -> list[dict]:
    """The `geometry_rows` of a group at an epoch whose checkpoint is damaged: NaN, and a status that says why.

    Args:
      layers: names.
      common: columns that are the same in every row.
      shape: (P, M), classes and examples of each.
      num_draws: that would have been made.
      numbers: of the layers in the paper's table.
    """
    known = {"num_classes": shape[0], "num_valid_classes": 0, "examples_per_class": shape[1], "num_draws": num_draws}
    known |= {"num_center_components": 0, "status": CHECKPOINT_DAMAGED, **common}
    known |= {"joint_status": CHECKPOINT_DAMAGED, "participation_status": CHECKPOINT_DAMAGED}
    return [
        {**dict.fromkeys(GEOMETRY, float("nan")), **known, "layer": name, "layer_number": number}
        for name, number in zip(layers, numbers, strict=True)
    ]


def warn_of(
    splits: Splits,
    labels: PermutedLabels,
    found: NetworkGeometry,
    epoch: int,
    group: str,
    examples: Int[np.ndarray, "P M"],
) -> None:
    """Warns of the classes of a group of examples, and of layers, whose numbers are missing or doubtful.

    A joint capacity that is only a bound is not warned of: it is so in every narrow layer, and its row says so.
    """
    given = {"test": splits.test.labels, "permuted": labels.assigned}.get(group, labels.true)
    classes = tuple(given[examples[:, 0]].tolist())
    problems = dataclasses.replace(found.mean_field, classes=classes).problems()
    if found.joint is not None:
        invalid = np.asarray(found.joint.status) & INVALID
        problems += dataclasses.replace(found.joint, status=invalid).problems()
    for problem in dict.fromkeys(problems):
        warn(f"epoch {epoch}, {group}: {problem}")
