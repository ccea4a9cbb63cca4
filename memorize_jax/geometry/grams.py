"""From points to inner products: the step after which the number of features no longer matters.

A layer is read once. What stays is M x M per manifold, M x P against the centres and P x P between centres, so wide
layers cost memory one at a time and all later steps run as one batch over layers.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from memorize_jax.geometry.batching import chunked_map


class Grams(NamedTuple):
    """Inner products of P manifolds, in units of `scale` squared.

    Offsets are points minus their own manifold's centre; centres are taken about the mean of all points.

    Attributes:
      own: [P, M, M], offsets with offsets of the same manifold.
      cross: [P, M, P], offsets with all centres.
      centers: [P, P], centres with centres.
      centers_cross: [P, P], the same numbers; like `cross`, its gradient holds the second factor, and so the
        directions that will be removed, fixed.
      center_squares: [P], of the centres before the removal of given directions, if there are any.
      size: [], what rounding is relative to: root mean square norm of the points, a quarter of their common offset's.
      scale: [], the unit of length.
      finite: [P] bool, whether all of a manifold's points are finite.
      num_directions: int32 [], min(M, N), the directions in which the published tool draws.
    """

    own: jax.Array
    cross: jax.Array
    centers: jax.Array
    centers_cross: jax.Array
    center_squares: jax.Array
    size: jax.Array
    scale: jax.Array
    finite: jax.Array
    num_directions: jax.Array


class Origin(NamedTuple):
    """Where a layer's points are counted from, so that a common offset costs no digits.

    Attributes:
      unit: [], the power of two that points are divided by first.
      point: [N], in that unit; taken off after it.
    """

    unit: jax.Array
    point: jax.Array


class ManifoldSummary(NamedTuple):
    """What one manifold must tell before inner products with the others' centres can be taken.

    Attributes:
      mean: [N], of its points, counted from the origin.
      largest: [], largest |value| of its points, in the origin's unit.
      finite: [] bool, whether all are finite.
    """

    mean: jax.Array
    largest: jax.Array
    finite: jax.Array


class Reference(NamedTuple):
    """What all manifolds of a layer share; leading axes as in `Grams`.

    Attributes:
      origin: of the layer.
      scale: [], the unit of length, in that of the origin.
      means: [P, N], in that unit, counted from the origin.
      centers: [P, N], the means about the mean of all points, without the removed directions.
      center_squares: [P], squares of the same before the removal.
      basis: [K, N] removed directions, or None.
    """

    origin: Origin
    scale: jax.Array
    means: jax.Array
    centers: jax.Array
    center_squares: jax.Array
    basis: jax.Array | None


def _power_of_two(size):
    """The power of two below a positive size, else 1: dividing by it does not round, so equal points stay equal."""
    usable = jnp.isfinite(size) & (size > 0)
    _, exponent = jnp.frexp(jnp.where(usable, size, 1))
    return jnp.ldexp(jnp.ones_like(size), exponent - 1)


def origin_of(manifold: jax.Array, mask: jax.Array, largest: jax.Array) -> Origin:
    """Finds an origin amid the points; the result does not depend on which one, so it carries no gradient.

    Args:
      manifold: [M, N] floating, one manifold of the layer; absent examples are zero.
      mask: [M], 1 where an example is present.
      largest: [], about the largest |value| of the layer.

    Returns:
      Origin.
    """
    manifold, unit = jax.lax.stop_gradient((manifold, _power_of_two(largest)))
    first = manifold[0] / unit
    # Differences to a point are exact for equal points: a constant layer becomes zeros.
    offsets = (manifold / unit - first) * mask[:, None]
    return Origin(unit, first + jnp.sum(offsets, axis=0) / jnp.maximum(jnp.sum(mask), 1))


def _placed(points, mask, origin):
    return (points / origin.unit - origin.point) * mask[..., None]


def place(points: jax.Array, mask: jax.Array, reference: Reference) -> jax.Array:
    """Brings points [..., M, N] of a layer to the place and the unit of its `reference.means`; absent ones are 0."""
    return _placed(points, mask, reference.origin) / reference.scale


def summarize_manifold(points: jax.Array, mask: jax.Array, origin: Origin) -> ManifoldSummary:
    """Summarises one manifold.

    Args:
      points: [M, N] floating; absent examples are zero.
      mask: [M], 1 where an example is present.
      origin: of the layer.

    Returns:
      ManifoldSummary.
    """
    mean = jnp.sum(_placed(points, mask, origin), axis=0) / jnp.maximum(jnp.sum(mask), 1)
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(points / origin.unit)))
    return ManifoldSummary(mean, largest, jnp.all(jnp.isfinite(points)))


def reference_of(
    summaries: ManifoldSummary, mask: jax.Array, origin: Origin, center_basis: jax.Array | None = None
) -> Reference:
    """Finds unit, centre and removed directions of a layer.

    Args:
      summaries: of all its manifolds, with a leading axis [P].
      mask: [P, M].
      origin: of the layer.
      center_basis: see `reduce_points`.

    Returns:
      Reference.
    """
    # Any overall scale cancels; taking it out first keeps the squares of 1e-12 or 1e12 inside float32.
    scale = _power_of_two(jnp.max(summaries.largest))
    means = summaries.mean / scale
    count = jnp.sum(mask, axis=1)
    centers = means - (count / jnp.maximum(jnp.sum(count), 1)) @ means
    center_squares = jnp.sum(centers**2, axis=1)
    if center_basis is not None:
        center_basis = _rows(center_basis, means.shape[1]).astype(means.dtype)
        centers = centers - (centers @ center_basis.T) @ center_basis
    return Reference(origin, scale, means, centers, center_squares, center_basis)


def inner_products(
    points: jax.Array, mask: jax.Array, mean: jax.Array, reference: Reference
) -> tuple[jax.Array, jax.Array]:
    """Computes one manifold's inner products.

    Args:
      points: [M, N].
      mask: [M].
      mean: [N], its row of `reference.means`.
      reference: of the layer.

    Returns:
      (own [M, M], cross [M, P]), see `Grams`.
    """
    offsets = (place(points, mask, reference) - mean) * mask[:, None]
    if reference.basis is not None:
        offsets = offsets - (offsets @ reference.basis.T) @ reference.basis
    return offsets @ offsets.T, offsets @ jax.lax.stop_gradient(reference.centers).T


def assemble_grams(own: jax.Array, cross: jax.Array, finite: jax.Array, mask: jax.Array, reference: Reference) -> Grams:
    """Puts together what has been computed manifold by manifold.

    Args:
      own: [P, M, M].
      cross: [P, M, P].
      finite: [P].
      mask: [P, M].
      reference: of the layer.

    Returns:
      Grams.
    """
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
        size=jnp.sqrt(own_mean_square + jnp.mean(jnp.sum(reference.means**2, axis=1)) + jnp.sum(offset**2)),
        scale=reference.scale * origin.unit,
        finite=finite,
        num_directions=jnp.int32(min(mask.shape[1], centers.shape[1])),
    )


def reduce_points(
    points: jax.Array, mask: jax.Array, *, center_basis: jax.Array | None = None, chunk: int | None = None
) -> Grams:
    """Computes the inner products of one layer's points.

    Args:
      points: [P, M, N] floating; absent examples are zero.
      mask: [P, M], 1 where an example is present.
      center_basis: [K, N] or [N, K], orthonormal along N, projected out of every point first.
      chunk: manifolds whose offsets are held at a time (see `batching.chunked_map`); memory beyond `points` is about
        chunk x M x N numbers.

    Returns:
      Grams.

    Raises:
      ValueError: neither axis of `center_basis` has length N.
    """
    reference, finite = reference_of_points(points, mask, center_basis, chunk)
    own, cross = chunked_map(lambda item: inner_products(*item, reference), (points, mask, reference.means), chunk)
    return assemble_grams(own, cross, finite, mask, reference)


def reference_of_points(points, mask, center_basis=None, chunk=None) -> tuple[Reference, jax.Array]:
    """`reference_of` a layer whose points are held, and [P] whether they are finite; arguments of `reduce_points`."""
    origin = origin_of(points[0], mask[0], jnp.max(jnp.abs(points)))
    summaries = chunked_map(lambda item: summarize_manifold(*item, origin), (points, mask), chunk)
    return reference_of(summaries, mask, origin, center_basis), summaries.finite


def _rows(basis, num_features):
    if basis.ndim != 2 or num_features not in basis.shape:
        raise ValueError(f"expected center_basis [K, {num_features}] or [{num_features}, K], got {basis.shape}")
    return basis if basis.shape[1] == num_features else basis.T
