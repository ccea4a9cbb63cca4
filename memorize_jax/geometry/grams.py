"""From points to inner products: the step after which the number of features no longer matters.

A layer is read once. What stays is M x M per manifold, M x P against the centers and P x P between centers, so wide
layers cost memory one at a time and all later steps run as one batch over layers.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int32

from memorize_jax.geometry.batching import chunked_map
from memorize_jax.scale import power_of_two

# 1 where an example is present; a constant where all are.
Mask = Float[Array | np.ndarray, "*P M"]


class Grams(NamedTuple):
    """Inner products of P manifolds, in units of `scale` squared.

    Offsets are points minus their own manifold's center; centers are taken about the mean of all points.
    """

    own: Float[Array, "P M M"]  # offsets with offsets of the same manifold
    # offsets with all centers; None where products with the directions to remove are taken instead
    cross: Float[Array, "P M P"] | None
    centers: Float[Array, "P P"]  # centers with centers
    # the same numbers; like `cross`, its gradient holds the second factor, and so the directions that will be removed,
    # fixed
    centers_cross: Float[Array, "P P"]
    center_squares: Float[Array, " P"]  # of the centers before the removal of given directions, if there are any
    centers_before: Float[Array, "P P"] | None  # centers with centers before that removal; None if there is none
    # what rounding is relative to: root mean square norm of the points, a quarter of their common offset's
    size: Float[Array, ""]
    scale: Float[Array, ""]  # the unit of length
    finite: Bool[Array, " P"]  # whether all of a manifold's points are finite
    num_directions: Int32[Array, ""]  # min(M, N), the directions in which the published tool draws


class Origin(NamedTuple):
    """Where a layer's points are counted from, so that a common offset costs no digits."""

    unit: Float[Array, ""]  # the power of two that points are divided by first
    point: Float[Array, " N"]  # in that unit; taken off after it


class ManifoldSummary(NamedTuple):
    """What one manifold must tell before inner products with the others' centers can be taken."""

    mean: Float[Array, "*P N"]  # of its points, counted from the origin
    largest: Float[Array, "*P"]  # largest |value| of its points, in the origin's unit
    finite: Bool[Array, "*P"]  # whether all are finite


class Reference(NamedTuple):
    """What all manifolds of a layer share."""

    origin: Origin  # of the layer
    scale: Float[Array, ""]  # the unit of length, in that of the origin
    means: Float[Array, "P N"]  # in that unit, counted from the origin
    centers: Float[Array, "P N"]  # the means about the mean of all points, without the removed directions
    center_squares: Float[Array, " P"]  # squares of the same before the removal
    centers_before: Float[Array, "P P"] | None  # their inner products before the removal; None if there is none
    basis: Float[Array, "K N"] | None  # removed directions


def origin_of(manifold: Float[Array, "M N"], mask: Mask, largest: Float[Array, ""]) -> Origin:
    """Finds an origin amid the points; the result does not depend on which one, so it carries no gradient.

    `manifold` is any one of the layer, `largest` about the largest |value| of the layer.
    """
    manifold, unit = jax.lax.stop_gradient((manifold, power_of_two(largest)))
    first = manifold[0] / unit
    # Differences to a point are exact for equal points: a constant layer becomes zeros.
    offsets = (manifold / unit - first) * mask[:, None]
    return Origin(unit, first + jnp.sum(offsets, axis=0) / jnp.maximum(jnp.sum(mask), 1))


def _placed(points, mask, origin):
    return (points / origin.unit - origin.point) * mask[..., None]


def place(points: Float[Array, "*P M N"], mask: Mask, reference: Reference) -> Float[Array, "*P M N"]:
    """Brings points of a layer to the place and the unit of its `reference.means`; absent ones are 0."""
    return _placed(points, mask, reference.origin) / reference.scale


def summarize_manifold(points: Float[Array, "M N"], mask: Mask, origin: Origin) -> ManifoldSummary:
    """Summarizes one manifold."""
    placed = _placed(points, mask, origin)
    # From one of the points on: the mean of equal points is then their own point exactly, so their offsets are zeros.
    first = jax.lax.stop_gradient(placed[jnp.argmax(mask)])
    mean = first + jnp.sum((placed - first) * mask[:, None], axis=0) / jnp.maximum(jnp.sum(mask), 1)
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(points / origin.unit)))
    return ManifoldSummary(mean, largest, jnp.all(jnp.isfinite(points)))


def reference_of(
    summaries: ManifoldSummary, mask: Mask, origin: Origin, center_basis: Array | None = None
) -> Reference:
    """Finds unit, center and removed directions of a layer from the summaries of all its manifolds."""
    # Any overall scale cancels; taking it out first keeps the squares of 1e-12 or 1e12 inside float32.
    scale = power_of_two(jnp.max(summaries.largest))
    means = summaries.mean / scale
    count = jnp.sum(mask, axis=1)
    centers = means - (count / jnp.maximum(jnp.sum(count), 1)) @ means
    center_squares, before = jnp.sum(centers**2, axis=1), None
    if center_basis is not None:
        before = jax.lax.stop_gradient(centers @ centers.T)
        center_basis = _rows(center_basis, means.shape[1]).astype(means.dtype)
        centers = centers - (centers @ center_basis.T) @ center_basis
    return Reference(origin, scale, means, centers, center_squares, before, center_basis)


def offsets_from_center(
    points: Float[Array, "M N"], mask: Mask, mean: Float[Array, " N"], reference: Reference
) -> Float[Array, "M N"]:
    """One manifold's points about their center, without given directions; arguments of `inner_products`."""
    offsets = (place(points, mask, reference) - mean) * mask[:, None]
    if reference.basis is not None:
        offsets = offsets - (offsets @ reference.basis.T) @ reference.basis
    return offsets


def inner_products(
    points: Float[Array, "M N"], mask: Mask, mean: Float[Array, " N"], reference: Reference
) -> tuple[Float[Array, "M M"], Float[Array, "M P"]]:
    """Computes one manifold's own and cross inner products; `mean` is its row of `reference.means`."""
    offsets = offsets_from_center(points, mask, mean, reference)
    return offsets @ offsets.T, offsets @ jax.lax.stop_gradient(reference.centers).T


def assemble_grams(
    own: Float[Array, "P M M"],
    cross: Float[Array, "P M P"] | None,
    finite: Bool[Array, " P"],
    mask: Mask,
    reference: Reference,
) -> Grams:
    """Puts together what has been computed manifold by manifold."""
    centers, origin = reference.centers, reference.origin
    # Rounding of the computation is relative to distances from the origin; that of the data, a quarter as much as is
    # allowed for it, to the data's own zero.
    offset = origin.point / reference.scale / 4
    own_mean_square = jnp.sum(jnp.trace(own, axis1=1, axis2=2)) / jnp.maximum(jnp.sum(mask), 1)
    return Grams(
        own=own,
        cross=cross,
        centers=centers @ centers.T,
        centers_cross=centers @ jax.lax.stop_gradient(centers).T,
        center_squares=reference.center_squares,
        centers_before=reference.centers_before,
        size=jnp.sqrt(own_mean_square + jnp.mean(jnp.sum(reference.means**2, axis=1)) + jnp.sum(offset**2)),
        scale=reference.scale * origin.unit,
        finite=finite,
        num_directions=jnp.int32(min(mask.shape[1], centers.shape[1])),
    )


def reduce_points(points: Float[Array, "P M N"], mask: Mask, *, center_basis: Array | None = None) -> Grams:
    """Inner products of a layer's points; `center_basis`, [K, N] or [N, K], is projected out of every point first."""
    reference, finite = reference_of_points(points, mask, center_basis)
    products_of = lambda item: inner_products(*item, reference=reference)
    own, cross = chunked_map(products_of, (points, mask, reference.means), None)
    return assemble_grams(own, cross, finite, mask, reference)


def reference_of_points(
    points: Float[Array, "P M N"], mask: Mask, center_basis: Array | None = None
) -> tuple[Reference, Bool[Array, " P"]]:
    """`reference_of` a layer whose points are held, and whether they are finite; arguments of `reduce_points`."""
    origin = origin_of(points[0], mask[0], jnp.max(jnp.abs(points)))
    summaries = chunked_map(lambda item: summarize_manifold(*item, origin=origin), (points, mask), None)
    return reference_of(summaries, mask, origin, center_basis), summaries.finite


def _rows(basis, num_features):
    if basis.ndim != 2 or num_features not in basis.shape:
        raise ValueError(f"expected center_basis [K, {num_features}] or [{num_features}, K], got {basis.shape}")
    return basis if basis.shape[1] == num_features else basis.T
