"""The same measurement of other examples and other draws, and of parts of the examples."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from memorize_jax.geometry.grams import Mask
from memorize_jax.geometry.joint.pipeline import joint_geometry_of_layers
from memorize_jax.geometry.options import (
    JOINT,
    MEAN_FIELD,
    JointOptions,
    MeanFieldOptions,
    joint_options,
    mean_field_options,
    read_options,
)
from memorize_jax.geometry.participation import participation_of_points, stacked
from memorize_jax.geometry.pipeline import geometry_of_layers
from memorize_jax.geometry.points import read_manifolds
from memorize_jax.own_activations.coordinates import in_coordinates
from memorize_jax.own_activations.intervals import overlap_of
from memorize_jax.own_activations.measure import Measured
from memorize_jax.own_activations.parts import choose_parts, plan_parts
from memorize_jax.threads import one_thread

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
      parts: numbers of k sets of examples that share none, in B rounds, in the scale of the repeats; None where a class
        has too few examples, or there is but one repeat.
      choices: the examples of each repeat: label -> rows.
      taken: examples of each class in a set.
    """

    repeated: Numbers
    parts: Numbers | None
    choices: tuple[Mapping[Any, Int[np.ndarray, " _"]], ...]
    taken: Int[np.ndarray, " P"]


class Program(NamedTuple):
    """Measures points of one shape, whatever their number of examples; every call is the same compiled program."""

    mean_field: MeanFieldOptions
    joint: JointOptions | None

    def __call__(self, points: tuple[Array, ...], mask: Mask, key: PRNGKeyArray) -> Measured:
        """Measures all layers; absent examples are those whose mask is 0."""
        geometry, joint = geometry_of_layers(points, mask, key, self.mean_field), None
        if self.joint is not None:
            with one_thread():
                joint = jax.block_until_ready(joint_geometry_of_layers(points, mask, key, self.joint))
        return Measured(geometry, joint, stacked([participation_of_points(x, mask) for x in points]))


def measure_repeats(
    layers: Mapping[str, Shaped[np.ndarray, "n _"]],
    rows: Mapping[Any, Int[np.ndarray, " _"]],
    choices: Sequence[Mapping[Any, Int[np.ndarray, " _"]]],
    plain: Measured,
    *,
    key: PRNGKeyArray,
    joint_draws: int = 200,
    **options: Any,
) -> Repeats:
    """Measures every choice of examples by draws of its own, and sets of examples that share none by the same draws.

    K, the number of center directions removed, is chosen anew in every measurement where it was not given, so that the
    intervals contain its jumps.

    Args:
      layers: of finite numbers.
      rows: label -> all rows of the class.
      choices: of the examples, R times; the first is what was measured already.
      plain: what it gave, by the key itself; repeat r, and round r of the sets, have the draws of `fold_in(key, r)`.
      joint_draws: of the joint geometry; 0 measures none.
      **options: of `geometry.layer_geometry`.
    """
    there, whole = (np.array([len(own[label]) for label in choices[0]]) for own in (rows, choices[0]))
    plan = plan_parts(there, whole, len(choices))
    used = np.unique(np.concatenate([rows[label] for label in choices[0]]))
    layers = in_coordinates(layers, used)
    width = int(whole.max())
    dtype = jnp.result_type(*(read_manifolds([values[:1]] * 2).points.dtype for values in layers.values()))
    program = _program((len(layers), len(whole), width, dtype), joint_draws, options)

    def numbers(chosen, number):
        own = jax.random.fold_in(key, number) if number else key
        return numbers_of(program(*_points_of(layers, chosen, width, dtype), own))

    repeated = [numbers_of(plain)]
    repeated += [numbers(chosen, number) for number, chosen in enumerate(choices) if number]
    parts = []
    if overlap_of(choices).any():
        for number in range(plan.num_rounds):
            sets = choose_parts(rows, choices[number], plan, key, number)
            known = [repeated[number]] if plan.is_whole else []
            parts.append(_stacked([*known, *(numbers(chosen, number) for chosen in sets[len(known) :])]))
    elif plan.num_rounds:
        # Repeats that share no example are such sets themselves.
        parts.append(_stacked(repeated))
    found = _stacked(repeated)
    apart = _stacked(parts) if parts else None
    if apart is not None and not plan.is_whole:
        apart = _in_scale(apart, found)
    return Repeats(found, apart, tuple(choices), plan.taken)


def _in_scale(parts, repeated):
    """The numbers of smaller sets about the mean of the repeats, in their scale; flags as they are."""

    def scaled(name, own, whole):
        if name.endswith("status"):
            return own
        mean, target = own.mean(axis=(0, 1)), whole.mean(axis=0)
        ratio = np.where(mean == 0, 1, target / np.where(mean == 0, 1, mean))
        # Of n points the reciprocal is about 1/D + 1/n: it is its deviations that do not depend on n.
        return target + (own - mean) * (ratio**2 if name.endswith("participation_ratio") else ratio)

    return Numbers(
        *(
            {name: scaled(name, own, whole[name]) for name, own in each.items()}
            for each, whole in zip(parts, repeated, strict=True)
        )
    )


def _program(shape, joint_draws, options):
    given = dict(options)
    mean_field = read_options(given.pop("options", None), given, MEAN_FIELD)
    joint = read_options(None, {"num_draws": joint_draws, "kappa": mean_field.kappa}, JOINT) if joint_draws else None
    return Program(mean_field_options(mean_field, shape), joint and joint_options(joint, shape))


def _points_of(layers, chosen, width, dtype):
    """Points [P, width, N] of every layer and their mask; a class with fewer examples has zeros behind them."""
    mask = np.array([np.arange(width) < len(rows) for rows in chosen.values()])
    # As many rows for all, so that every call has one shape.
    filled = [np.resize(rows, width) for rows in chosen.values()]
    points = [
        read_manifolds([values[rows] for rows in filled], f"points of layer {name!r}").points.astype(dtype)
        for name, values in layers.items()
    ]
    mask = mask.astype(dtype)
    return tuple(own * mask[..., None] for own in points), mask


def _stacked(numbers):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *numbers)


def numbers_of(measured: Measured) -> Numbers:
    """Reads the numbers that have intervals out of a measurement."""
    geometry, joint, (together, by_class) = measured
    found = {name: geometry.summary()[name] for name in ("capacity", "radius", "dimension", "center_correlation")}
    found["residual_correlation"] = geometry.residual_correlation
    # A name that was not measured has no number, nor a status.
    nothing = np.full(len(geometry.center_correlation), np.nan)
    found |= {f"joint_{name}": joint.summary()[name] if joint else nothing for name in _JOINT}
    found |= {"participation_ratio": together.plain, "participation_ratio_corrected": together.corrected}
    found |= {
        f"class_participation_ratio{end}": own.mean(axis=1)
        for end, own in zip(("", "_corrected"), by_class[:2], strict=True)
    }
    either = lambda status: np.bitwise_or.reduce(np.asarray(status), axis=1)
    found |= {"status": either(geometry.status), "joint_status": joint.status if joint else nothing}
    found["participation_status"] = np.asarray(together.status) | either(by_class.status)
    classes = {name: getattr(geometry, name) for name in ("capacity", "radius", "dimension")}
    if joint:
        classes["joint_class_capacity"] = joint.class_capacity
    classes |= {"participation_ratio": by_class.plain, "participation_ratio_corrected": by_class.corrected}
    return Numbers(*({name: _finite(own) for name, own in of.items()} for of in (found, classes)))


def _finite(values):
    """A class that no draw took hold of has an infinite capacity, of which there is no mean."""
    values = np.array(values, float)
    return np.where(np.isfinite(values), values, np.nan)
