"""From points to the inner products of a block of classes, the only thing the joint geometry sees."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from memorize_jax.geometry.grams import Reference, place

CENTERS = ("all", "none")


class Blocks(NamedTuple):
    """Inner products of points of unit length, a block of classes at a time.

    Attributes:
      gram: [S, B M, B M]; zero rows for points that are not there, or coincide with the origin.
      norms: [S, B, M], lengths before, in units of their root mean square over all points; 0 for the same.
      finite: [] bool, whether all points of the layer are.
    """

    gram: jax.Array
    norms: jax.Array
    finite: jax.Array


def origin_and_size(reference: Reference, center: str) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where the points are seen from, the distance of the classes' centers from it, and the rounding of points.

    Args:
      reference: of the layer.
      center: "all" for the mean of all points, "none" for the data's own zero.

    Returns:
      (origin [N], root mean square distance [] of the centers, length [] below which a point is rounding); all in the
      place and unit of `reference.means`.
    """
    offset = reference.origin.point / reference.scale
    origin = reference.means[0] - reference.centers[0] if center == "all" else -offset
    centers = reference.means - origin
    distance = jnp.sqrt(jnp.mean(jnp.sum(centers**2, axis=1)))
    largest = jnp.sqrt(jnp.max(jnp.sum(reference.means**2, axis=1)) + jnp.sum(offset**2) / 16)
    return origin, distance, 10 * jnp.finfo(origin.dtype).eps * largest


def block_of(points: jax.Array, mask: jax.Array, reference: Reference, center: str) -> tuple[jax.Array, jax.Array]:
    """Computes the inner products of some classes.

    Args:
      points: [B, M, N].
      mask: [B, M].
      reference: of the layer.
      center: see `origin_and_size`.

    Returns:
      (gram [B M, B M], norms [B, M]) in the unit of `reference`, see `Blocks`.
    """
    origin, _, rounding = origin_and_size(reference, center)
    rows = (place(points, mask, reference) - origin) * mask[..., None]
    squares = jnp.sum(rows**2, axis=2)
    present = squares > rounding**2
    norms = jnp.where(present, jnp.sqrt(jnp.where(present, squares, 1)), 0)
    units = rows / jnp.where(present, norms, 1)[..., None] * present[..., None]
    units = units.reshape(-1, units.shape[2])
    return units @ units.T, norms
