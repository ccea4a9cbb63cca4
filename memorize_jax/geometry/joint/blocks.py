"""From points to the inner products of a block of classes, the only thing the joint geometry sees."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from memorize_jax.geometry.grams import Mask, Reference, place


class Blocks(NamedTuple):
    """Inner products of points of unit length, a block of classes at a time."""

    gram: Float[Array, "S BM BM"]  # zero rows for points that are not there, or coincide with the origin
    norms: Float[Array, "S B M"]  # lengths before, in units of their root mean square over all points; 0 for the same
    finite: Bool[Array, ""]  # whether all points of the layer are


def origin_and_size(reference: Reference, center: str) -> tuple[Float[Array, " N"], Float[Array, ""], Float[Array, ""]]:
    """The origin that points are seen from, the centers' root mean square distance, the length that is rounding.

    All are in the place and unit of `reference.means`.
    """
    offset = reference.origin.point / reference.scale
    origin = reference.means[0] - reference.centers[0] if center == "all" else -offset
    centers = reference.means - origin
    distance = jnp.sqrt(jnp.mean(jnp.sum(centers**2, axis=1)))
    largest = jnp.sqrt(jnp.max(jnp.sum(reference.means**2, axis=1)) + jnp.sum(offset**2) / 16)
    return origin, distance, 10 * jnp.finfo(origin.dtype).eps * largest


def block_of(
    points: Float[Array, "B M N"], mask: Mask, reference: Reference, center: str
) -> tuple[Float[Array, "BM BM"], Float[Array, "B M"]]:
    """Computes the inner products of some classes, and norms in the unit of `reference`; see `Blocks`."""
    origin, _, rounding = origin_and_size(reference, center)
    rows = (place(points, mask, reference) - origin) * mask[..., None]
    squares = jnp.sum(rows**2, axis=2)
    present = squares > rounding**2
    norms = jnp.where(present, jnp.sqrt(jnp.where(present, squares, 1)), 0)
    units = rows / jnp.where(present, norms, 1)[..., None] * present[..., None]
    units = units.reshape(-1, units.shape[2])
    return units @ units.T, norms
