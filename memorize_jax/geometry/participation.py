"""Dimension of points by the participation ratio: of the points given, and of the distribution that they come from."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32

from memorize_jax.geometry import status as status_flags
from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.filling import alone_on_processor, fill_up, is_small
from memorize_jax.geometry.grams import Mask, Reference, inner_products, place, reference_of_points
from memorize_jax.geometry.layers import read_layers
from memorize_jax.geometry.notebook import by_field
from memorize_jax.geometry.points import as_array, to_floating
from memorize_jax.geometry.unbiased import unbiased_sum

# The correction divides by n - 2 and averages over sets of four different points.
FEWEST_POINTS = 4
# Their inner products with all others are held together.
POINTS_AT_A_TIME = 1024
# Likewise features, where there are fewer of them than of points.
FEATURES_AT_A_TIME = 512
# The sum over all pairs is taken without that over the diagonal if it is so many times as large: where one point
# outweighs all others nothing would be left of it.
MOST_CANCELLED = 1.05


class ParticipationRatio(NamedTuple):
    """How many directions points vary in.

    Attributes:
      plain: of the n points themselves; at most n - 1, however many directions there are.
      corrected: without the bias of few points; NaN where `status` says why.
      status: bit flags of `geometry.status`; 0 is fine.
    """

    plain: Float[Array, "*L"]
    corrected: Float[Array, "*L"]
    status: Int32[Array, "*L"]

    _repr_html_ = by_field


class LayerParticipation(NamedTuple):
    """Participation ratios of every layer.

    Attributes:
      together: of all points, with an axis of layers.
      by_class: of the points of each class about their own mean, with an axis of layers and one of classes.
    """

    together: ParticipationRatio
    by_class: ParticipationRatio

    _repr_html_ = by_field


class PairSums(NamedTuple):
    """What the participation ratio needs to know of n points about their mean, with Gram matrix G.

    Attributes:
      trace: sum_i G_ii.
      diagonal: sum_i G_ii^2.
      pairs: sum over i != j of G_ij^2.
    """

    trace: Float[Array, "*L"]
    diagonal: Float[Array, "*L"]
    pairs: Float[Array, "*L"]


def participation_ratio(points: Any) -> ParticipationRatio:
    """Measures in how many directions points vary, all taken together, and corrects it for their number.

        plain = (sum_i lambda_i)^2 / sum_i lambda_i^2,   lambda the eigenvalues of the points' covariance
        corrected = A / B, A and B the unbiased estimates of both for the covariance of the distribution

    A and B are means over sets of different points of what has that expectation ("row" estimator: all features of a
    layer are known, only the points are drawn). They do not change with the origin; about the mean of the n points
    the sums of rows of the Gram matrix G vanish, and with d = diag G, o = sum_{i != j} G_ij^2, f = 1/((n-1)(n-2))

        A = (1 - f) (sum d)^2 - (n+1)/(n-1) sum d^2 + 2 f o,   B = o - 2/(n-2) sum d^2 + f (sum d)^2.

    Works eagerly and under jit and vmap.

    Args:
      points: [n, N] or [P, M, N].

    Raises:
      ValueError: what is no real numbers, wrong shapes; outside jit also NaN or infinite points.

    References:
      Chun, Canatar, Chung & Lee 2026, "Estimating dimensionality of neural representations from finite samples".
    """
    points = as_array(points)
    if points.ndim not in (2, 3) or not all(points.shape):
        raise ValueError(f"expected points [P, M, N] or [n, N], got shape {points.shape}")
    points = to_floating(points.reshape(1, -1, points.shape[-1]))[0]
    return jax.tree.map(lambda leaf: leaf[0], participation_of_points(points, np.ones(points.shape[:2])).by_class)


def layer_participation(layers: Mapping[str, Any]) -> LayerParticipation:
    """Measures every layer, all points together and class by class; arguments and errors of `layer_geometry`."""
    read = read_layers(layers)
    return stacked([participation_of_points(*filled_up(points, read.mask)) for points in read.points])


def filled_up(points: Float[Array, "P M N"], mask: Mask) -> tuple[Float[Array | np.ndarray, "P _ _"], Any]:
    """Points and mask of a layer as `participation_of_points` takes them; few of them in one of few shapes."""
    mask = mask.astype(points.dtype)
    if alone_on_processor(points) and is_small(mask):
        (filled,), mask = fill_up([points], mask)
        return filled, mask
    return points, mask


def stacked(layers: list[LayerParticipation]) -> LayerParticipation:
    """Several layers as one record."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *layers)


@jax.jit
@jax.default_matmul_precision("highest")
def participation_of_points(points: Float[Array, "P M N"], mask: Mask) -> LayerParticipation:
    """Measures one layer, whose points are held; without an axis of layers."""
    reference, finite = reference_of_points(points, mask)
    offsets = offsets_of(points, mask, reference)
    pairs = _sum_of_all_pairs(offsets, finite)
    at_a_time = max(1, POINTS_AT_A_TIME // points.shape[1])
    each = (points, mask, reference.means)
    own = chunked_map(lambda item: inner_products(*item, reference=reference)[0], each, at_a_time)
    return participation_of_sums(jnp.sum(offsets**2, axis=2), pairs, own, mask, finite)


def participation_about(
    points: Float[Array, "P M N"],
    mask: Mask,
    reference: Reference,
    finite: Bool[Array, " P"],
    own: Float[Array, "P M M"],
) -> LayerParticipation:
    """`participation_of_points` of a layer of which more is known; the last arguments of `participation_of_sums`."""
    offsets = offsets_of(points, mask, reference)
    pairs = _sum_of_all_pairs(offsets, finite)
    return participation_of_sums(jnp.sum(offsets**2, axis=2), pairs, own, mask, finite)


def _sum_of_all_pairs(offsets, finite):
    """Sum of the squared inner products of different points."""
    flat = offsets.reshape(-1, offsets.shape[-1])

    def by_points():
        at_a_time = max(1, POINTS_AT_A_TIME // offsets.shape[1])
        numbered = (offsets, jnp.arange(len(offsets)))
        return jnp.sum(chunked_map(lambda item: sum_of_pairs(item[0], item[1], flat), numbered, at_a_time))

    if len(flat) <= POINTS_AT_A_TIME or len(flat) < 2 * flat.shape[1]:
        return by_points()
    # |X X'|^2 = |X' X|^2, and the products of features are fewer.
    every, diagonal = _sum_of_feature_products(flat), _total(jnp.sum(offsets**2, axis=2) ** 2)
    exact = every > MOST_CANCELLED * diagonal
    return jax.lax.cond(exact | ~jnp.all(finite), lambda: every - diagonal, by_points)


def _sum_of_feature_products(flat):
    """Sum of the squares of X' X, of which blocks on one side of the diagonal are computed."""
    total = jnp.zeros((), flat.dtype)
    for first in range(0, flat.shape[1], FEATURES_AT_A_TIME):
        behind = flat[:, first:]
        width = min(FEATURES_AT_A_TIME, behind.shape[1])
        squares = (behind[:, :width].T @ behind) ** 2
        total += _total(squares[:, :width]) + 2 * _total(squares[:, width:])
    return total


def offsets_of(points: Float[Array, "*P M N"], mask: Mask, reference: Reference) -> Float[Array, "*P M N"]:
    """Points about the mean of all points of their layer, in its unit; absent ones are 0."""
    mean = (reference.means - reference.centers)[0]
    return (place(points, mask, reference) - mean) * mask[..., None]


def sum_of_pairs(own: Float[Array, "M N"], number: Int[Array, ""], others: Float[Array, "n N"]) -> Float[Array, ""]:
    """Adds up the squares of the inner products of one class, in place `number` of the others, with all but itself."""
    products = own @ others.T
    places = number * own.shape[0] + jnp.arange(own.shape[0])
    return _total(jnp.where(jnp.arange(others.shape[0]) == places[:, None], 0, products) ** 2)


def participation_of_sums(
    squares: Float[Array, "P M"],
    pairs: Float[Array, ""],
    own: Float[Array, "P M M"],
    mask: Mask,
    finite: Bool[Array, " P"],
) -> LayerParticipation:
    """Puts together what was found class by class.

    Args:
      squares: squared distances of the points from the mean of all.
      pairs: sum of the squared inner products of different points about it.
      own: Gram matrix of each class about its own mean.
      mask: 1 where an example is present.
      finite: whether all points of a class are.
    """
    counts = jnp.sum(jnp.asarray(mask), axis=1)
    together = PairSums(_total(squares), _total(squares**2), pairs)
    distances = jnp.diagonal(own, axis1=1, axis2=2)
    others = jnp.where(jnp.eye(own.shape[1], dtype=bool), 0, own)
    by_class = PairSums(distances.sum(axis=1), (distances**2).sum(axis=1), jnp.sum(jnp.sum(others**2, axis=2), axis=1))
    return LayerParticipation(_ratio(together, jnp.sum(counts), jnp.all(finite)), _ratio(by_class, counts, finite))


def _total(values):
    # Row by row: a single running sum over a million numbers would lose digits of float32.
    return jnp.sum(jnp.sum(values, axis=-1))


def _ratio(sums, count, finite) -> ParticipationRatio:
    trace, diagonal, pairs = sums
    enough, vary = count >= FEWEST_POINTS, trace > 0
    n = jnp.where(enough, count, FEWEST_POINTS)
    factor = 1 / ((n - 1) * (n - 2))
    above = (1 - factor) * trace**2 - (n + 1) / (n - 1) * diagonal + 2 * factor * pairs
    below, rounding = unbiased_sum(pairs, diagonal, trace**2, n)
    status = (
        jnp.where(finite, 0, status_flags.NOT_FINITE)
        | jnp.where(finite & ~vary, status_flags.COINCIDE, 0)
        | jnp.where(finite & ~enough, status_flags.TOO_FEW, 0)
        | jnp.where(finite & vary & enough & ~(below > rounding), status_flags.NO_VARIANCE, 0)
    )
    usable = finite & vary
    plain = jnp.where(usable, trace**2 / jnp.where(usable, pairs + diagonal, 1), jnp.nan)
    fine = status == 0
    corrected = jnp.where(fine, above / jnp.where(fine, below, 1), jnp.nan)
    return ParticipationRatio(plain, corrected, status.astype(jnp.int32))
