"""The same measurement of other examples and other draws, and without some of the examples."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from memorize_jax.analysis.manifolds import geometry_rows
from memorize_jax.geometry.joint.pipeline import joint_geometry_of_layers
from memorize_jax.geometry.options import JOINT, MEAN_FIELD, joint_options, mean_field_options, read_options
from memorize_jax.geometry.participation import participation_of_points, stacked
from memorize_jax.geometry.pipeline import geometry_of_layers
from memorize_jax.geometry.points import read_manifolds
from memorize_jax.own_activations.coordinates import in_coordinates
from memorize_jax.own_activations.measure import Measured
from memorize_jax.threads import one_thread

# Parts of every class of which one is left out at a time, and how many of the repeats are measured in this way too.
PARTS, MOST_ROUNDS = 5, 2
# A class of fewer examples does not tell how far its measures move.
FEWEST_EXAMPLES = 4

_JOINT = ("capacity", "radius", "dimension", "utility", "center_alignment", "axis_alignment", "center_axis_alignment")
# Column of a layer that has an interval -> the column that says why it has no number.
OF_LAYERS = {
    **dict.fromkeys(("capacity", "radius", "dimension", "center_correlation", "residual_correlation"), "status"),
    **dict.fromkeys((f"joint_{name}" for name in _JOINT), "joint_status"),
    **dict.fromkeys(
        (
            *("participation_ratio", "participation_ratio_corrected"),
            *("class_participation_ratio", "class_participation_ratio_corrected"),
        ),
        "participation_status",
    ),
}


class Numbers(NamedTuple):
    """The numbers that have intervals, as the tables show them, with a leading axis for each time they were measured.

    Attributes:
      by_layer: column of the table by layer -> numbers; also the columns of status.
      by_class: column of the table by class -> numbers.
    """

    by_layer: dict[str, Float[np.ndarray, "*R L"]]
    by_class: dict[str, Float[np.ndarray, "*R L P"]]


class Repeats(NamedTuple):
    """What was measured again and again.

    Attributes:
      repeated: numbers of the R choices of examples, the first that of the plain analysis.
      left_out: of the first B of them, each without one of k parts of the examples; None where a class has too few.
      choices: the examples of each: label -> rows.
    """

    repeated: Numbers
    left_out: Numbers | None
    choices: tuple[dict[int, Int[np.ndarray, " M"]], ...]


class Program(NamedTuple):
    """Measures points of one shape, whatever their number of examples; every call is the same compiled program."""

    mean_field: Any
    joint: Any

    def __call__(self, points: tuple[Array, ...], mask: Array, key: PRNGKeyArray) -> Measured:
        """Measures all layers; absent examples are those whose mask is 0."""
        geometry = geometry_of_layers(points, mask, key, self.mean_field)
        with one_thread():
            joint = (
                jax.block_until_ready(joint_geometry_of_layers(points, mask, key, self.joint)) if self.joint else None
            )
        return Measured(geometry, joint, stacked([participation_of_points(x, mask) for x in points]))


def measure_repeats(
    layers: Mapping[str, Shaped[np.ndarray, "n _"]],
    choices: Sequence[Mapping[int, Int[np.ndarray, " M"]]],
    plain: Measured,
    *,
    key: PRNGKeyArray,
    joint_draws: int = 200,
    **options,
) -> Repeats:
    """Measures every choice of examples by draws of its own, and the first ones also with examples left out.

    K, the number of center directions removed, is chosen anew in every measurement where it was not given, so that the
    intervals contain its jumps.

    Args:
      layers: of finite numbers.
      choices: of the examples, R times; the first is what was measured already.
      plain: what it gave, by the key itself; repeat r has the draws of `fold_in(key, r)`.
      joint_draws: of the joint geometry; 0 measures none.
      **options: of `geometry.layer_geometry`.
    """
    used = np.unique(np.concatenate([rows for own in choices for rows in own.values()]))
    layers, names = in_coordinates(layers, used), tuple(layers)
    key_of = lambda number: jax.random.fold_in(key, number) if number else key
    sizes = np.array([len(rows) for rows in choices[0].values()])
    repeated, left_out, program = [numbers_of(plain, names)], [], None
    for number, chosen in enumerate(choices):
        rounds = number < MOST_ROUNDS and sizes.min() >= FEWEST_EXAMPLES
        if not number and not rounds:
            continue
        points, mask = _points_of(layers, chosen)
        program = program or _program((len(points), *mask.shape, mask.dtype), joint_draws, options)
        measure = lambda mask, points=points, own=key_of(number): numbers_of(program(points, mask, own), names)
        if number:
            repeated.append(measure(mask))
        if rounds:
            left_out.append(_stacked([measure(part) for part in _masks_of_parts(mask)]))
    return Repeats(_stacked(repeated), _stacked(left_out) if left_out else None, tuple(choices))


def _program(shape, joint_draws, options):
    given = dict(options)
    mean_field = read_options(given.pop("options", None), given, MEAN_FIELD)
    joint = read_options(None, {"num_draws": joint_draws, "kappa": mean_field.kappa}, JOINT) if joint_draws else None
    return Program(mean_field_options(mean_field, shape), joint and joint_options(joint, shape))


def _points_of(layers, chosen):
    read = [
        read_manifolds([values[rows] for rows in chosen.values()], f"points of layer {name!r}")
        for name, values in layers.items()
    ]
    dtype = jnp.result_type(*(one.points.dtype for one in read))
    return tuple(one.points.astype(dtype) for one in read), read[0].mask.astype(dtype)


def _masks_of_parts(mask):
    """The mask without one of k parts of the examples of every class, k times."""
    parts = min(PARTS, int(mask.sum(axis=1).min()))
    return [np.where(np.arange(mask.shape[1]) % parts == part, 0, mask).astype(mask.dtype) for part in range(parts)]


def _stacked(numbers):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *numbers)


def numbers_of(measured: Measured, layers: tuple[str, ...]) -> Numbers:
    """Reads the numbers that have intervals out of a measurement."""
    geometry, joint, participation = jax.tree.map(np.asarray, measured)
    geometry, joint = (of and dataclasses.replace(of, layers=layers) for of in (geometry, joint))
    rows = geometry_rows(geometry, layers, {}, joint=joint, participation=participation)
    wanted = [*OF_LAYERS, *dict.fromkeys(OF_LAYERS.values())]
    by_layer = {name: np.array([row[name] for row in rows], float) for name in wanted}
    by_class = {name: np.array(getattr(geometry, name), float) for name in ("capacity", "radius", "dimension")}
    if joint is not None:
        by_class["joint_class_capacity"] = np.array(joint.class_capacity, float)
    for name, ratio in zip(
        ("participation_ratio", "participation_ratio_corrected"), participation.by_class, strict=False
    ):
        by_class[name] = np.array(ratio, float)
    return Numbers(by_layer, by_class)
