"""From rows of one layer on disk to all its measures, by the memory of one layer."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from memorize_jax.geometry.joint.sampling import joint_peak_bytes
from memorize_jax.geometry.one_layer import LayerGeometries, geometries_of_one_layer
from memorize_jax.geometry.options import GeometryOptions, joint_options, mean_field_options
from memorize_jax.geometry.points import to_floating
from memorize_jax.memory import check_fits
from memorize_jax.own_activations.spilled import SpilledRows

# Times that the points of a layer are held while it is measured, with what loops over them hold: the peak that
# `benchmarks.larger_than_memory` measures, divided by their bytes.
COPIES = 9


class Asked(NamedTuple):
    """What is measured of every layer."""

    mean_field: GeometryOptions
    joint: GeometryOptions | None
    key: PRNGKeyArray


def measure_spilled_layer(
    spilled: SpilledRows, name: str, slots: Sequence[Int[np.ndarray, " _"]], asked: Asked
) -> LayerGeometries:
    """Measures one layer.

    Args:
      slots: of every class, in the order in which its examples are counted.

    Raises:
      ValueError: more than memory holds, or options that do not fit the layer.
    """
    most, width = max(map(len, slots)), spilled.widths[name]
    shape = (len(slots), most, width)
    check_fits(
        f"layer {name!r} {list(shape)}", peak_bytes(*shape, asked), "lower examples_per_class, or pool the layer"
    )
    parts = [spilled.read(name, int(own.min()), int(np.ptp(own)) + 1)[own - own.min()] for own in slots]
    dtype = jnp.promote_types(jnp.float32, jax.dtypes.canonicalize_dtype(spilled.dtypes[name]))
    exponent = 0
    if np.can_cast(spilled.dtypes[name], dtype):
        points = np.zeros(shape, dtype)
        for place in reversed(range(len(parts))):
            # What has been copied is given back.
            own = parts.pop()
            points[place, : len(own)] = own
        points = jnp.asarray(points)
    else:
        points, exponent = to_floating(parts, f"points of layer {name!r}")
    del parts
    mask = (np.arange(most) < np.array([len(own) for own in slots])[:, None]).astype(points.dtype)
    sizes = (1, *shape[:2], points.dtype)
    joint = None if asked.joint is None else joint_options(asked.joint, sizes)
    found = geometries_of_one_layer(points, mask, asked.key, mean_field_options(asked.mean_field, sizes), joint)
    if exponent:
        scaled = jnp.ldexp(found.mean_field.center_norm, exponent)
        found = found._replace(mean_field=dataclasses.replace(found.mean_field, center_norm=scaled))
    return found


def peak_bytes(num_manifolds: int, num_examples: int, num_features: int, asked: Asked, itemsize: int = 4) -> int:
    """Estimates the bytes that the measures of one layer take at their peak.

    itemsize (COPIES P M N + 20 P^2 + 4 P n (M + 1)),  n the draws, and what blocks of the joint geometry take
    """
    points = COPIES * num_manifolds * num_examples * num_features
    draws = 4 * num_manifolds * (asked.mean_field.num_draws or 300) * (num_examples + 1)
    joint = 0
    if asked.joint is not None:
        shape = (1, num_manifolds, num_examples, np.dtype(np.float32))
        joint = joint_peak_bytes(joint_options(asked.joint, shape).plan, 1, num_examples, itemsize)
    return itemsize * (points + 20 * num_manifolds**2 + draws) + joint


def together(layers: Sequence[LayerGeometries]) -> LayerGeometries:
    """Joins layers along their axis."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *layers)
