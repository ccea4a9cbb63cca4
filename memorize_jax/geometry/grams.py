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
      size: [], root mean square norm of the points about the data's own origin: what rounding is relative to.
      scale: [], the unit of length.
      finite: [P] bool, whether all of a manifold's points are finite.
      num_directions: int32 [], min(M, N), the directions in which the published tool draws.
    """

    own: jax.Array
    cross: jax.Array
    centers: jax.Array
    centers_cross: jax.Array
    size: jax.Array
    scale: jax.Array
    finite: jax.Array
    num_directions: jax.Array


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
    num_examples, num_features = points.shape[1:]
    # Any overall scale cancels; taking it out first keeps the squares of 1e-12 or 1e12 inside float32.
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(points)))
    scale = jnp.where(scale > 0, scale, 1)
    count = jnp.sum(mask, axis=1)
    means = jnp.sum(points / scale, axis=1) / jnp.maximum(count, 1)[:, None]
    overall = (count / jnp.maximum(jnp.sum(count), 1)) @ means
    centers = means - overall
    if center_basis is not None:
        center_basis = _rows(center_basis, num_features).astype(points.dtype)
        centers = centers - (centers @ center_basis.T) @ center_basis

    fixed = jax.lax.stop_gradient(centers)

    def one(item):
        own_points, own_mask, own_mean = item
        offsets = (own_points / scale - own_mean) * own_mask[:, None]
        if center_basis is not None:
            offsets = offsets - (offsets @ center_basis.T) @ center_basis
        return offsets @ offsets.T, offsets @ fixed.T

    own, cross = chunked_map(one, (points, mask, means), chunk)
    own_mean_square = jnp.sum(jnp.trace(own, axis1=1, axis2=2)) / jnp.maximum(jnp.sum(count), 1)
    size = jnp.sqrt(own_mean_square + jnp.mean(jnp.sum(means**2, axis=1)))
    return Grams(
        own=own,
        cross=cross,
        centers=centers @ centers.T,
        centers_cross=centers @ fixed.T,
        size=size,
        scale=scale,
        finite=jnp.all(jnp.isfinite(points), axis=(1, 2)),
        num_directions=jnp.int32(min(num_examples, num_features)),
    )


def _rows(basis, num_features):
    if basis.ndim != 2 or num_features not in basis.shape:
        raise ValueError(f"expected center_basis [K, {num_features}] or [{num_features}, K], got {basis.shape}")
    return basis if basis.shape[1] == num_features else basis.T
