"""From points to the inner products of a block of classes, the only thing the joint geometry sees."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from memorize_jax.geometry.grams import Mask, Reference, place
from memorize_jax.geometry.joint.cone import ROUNDING


class Block(NamedTuple):
    """What the geometry sees of some classes; with a leading axis, of several blocks."""

    gram: Float[Array, "*S BM BM"]  # of points of unit length; zero rows for those not there, or at the origin
    norms: Float[Array, "*S B M"]  # lengths before, in the unit of the reference; 0 for the same
    varying: Int32[Array, "*S"]  # features that vary
    weak: Int32[Array, "*S"]  # of these, those that vary less than inner products can tell beside the strongest


class Blocks(NamedTuple):
    """Inner products of points of unit length, a block of classes at a time."""

    block: Block  # norms in units of their root mean square over all points
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


def block_of(points: Float[Array, "B M N"], mask: Mask, reference: Reference, center: str) -> Block:
    """Reduces some classes to a block without the axis of blocks."""
    origin, _, rounding = origin_and_size(reference, center)
    rows = (place(points, mask, reference) - origin) * mask[..., None]
    squares = jnp.sum(rows**2, axis=2)
    present = squares > rounding**2
    norms = jnp.where(present, jnp.sqrt(jnp.where(present, squares, 1)), 0)
    units = rows / jnp.where(present, norms, 1)[..., None] * present[..., None]
    units = units.reshape(-1, units.shape[2])
    return Block(units @ units.T, norms, *_count_features(jax.lax.stop_gradient(rows)))


def _count_features(rows):
    """Of points [B, M, N] about the origin, absent ones 0: how many features vary, how many of these are weak."""
    variance, eps = jnp.sum(rows**2, axis=(0, 1)), jnp.finfo(rows.dtype).eps
    largest = jnp.max(variance)
    # Inner products round squares. What a hundred roundings of the numbers themselves leave of a feature is no feature.
    varying = variance > (100 * eps) ** 2 * largest
    weak = varying & (variance < ROUNDING * eps * largest)
    return jnp.sum(varying).astype(jnp.int32), jnp.sum(weak).astype(jnp.int32)
