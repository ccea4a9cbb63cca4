"""From inner products to frames: the small matrix per manifold that the quadratic program is about.

A manifold of M examples becomes S = [G^(1/2), 1] with G the Gram matrix of its offsets, shared center directions
removed, in units of the distance to its center. The symmetric root is unique: it depends on no choice of axes, and
the same draws mean the same thing for every layer and epoch that shows the same examples.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from memorize_jax.geometry.eigen import symmetric_eigen
from memorize_jax.geometry.grams import Grams, Mask


class Frames(NamedTuple):
    """P manifolds in their own coordinates."""

    frame: Float[Array, "P M M+1"]  # rows S_i; zero rows for absent examples, NaN where the center vanished
    projector: Float[Array, "P M M"]  # on the directions that the manifold's draws span
    num_directions: Float[Array, " P"]  # their number D
    rank: Int32[Array, " P"]  # dimension of the span of the offsets
    center_norm: Float[Array, " P"]  # norm of the center that is left, in the data's unit; 0 where it vanished
    # share of the center's norm that is left; NaN where there was no center before the removal either
    retained: Float[Array, " P"]


class Root(NamedTuple):
    """Symmetric square root of a positive semi-definite matrix, and the eigenvectors it was made of."""

    root: Float[Array, "M M"]  # R with R R = G; eigenvalues that are only rounding count as zero
    values: Float[Array, " M"]  # eigenvalues of G, increasing
    vectors: Float[Array, "M M"]  # a column for each


@jax.custom_jvp
def symmetric_root(gram: Float[Array, "M M"]) -> Root:
    """Symmetric square root of a positive semi-definite matrix G.

    The derivative of the root solves R dR + dR R = dG, which stays finite where eigenvalues coincide; values and
    vectors carry none.
    """
    values, vectors = symmetric_eigen(gram)
    return Root((vectors * _roots(values)) @ vectors.T, values, vectors)


@symmetric_root.defjvp
# jax traces a rule of differentiation where it differentiates, outside the context of its caller.
@jax.default_matmul_precision("highest")
def _symmetric_root_derivative(primals, tangents):
    (gram,), (change,) = primals, tangents
    found = symmetric_root(gram)
    roots, vectors = _roots(found.values), found.vectors
    sums = roots[:, None] + roots[None, :]
    inner = jnp.where(sums > 0, (vectors.T @ change @ vectors) / jnp.where(sums > 0, sums, 1), 0)
    return found, Root(vectors @ inner @ vectors.T, jnp.zeros_like(found.values), jnp.zeros_like(vectors))


def _roots(values):
    return jnp.sqrt(jnp.where(_significant(values), values, 0))


def _significant(values):
    return values > 20 * values.shape[0] * jnp.finfo(values.dtype).eps * values[-1]


def _frame_of_gram(gram, mask, qr_directions):
    """Frame, projector, direction count and rank of one Gram matrix [M, M]."""
    num = gram.shape[0]
    root, values, vectors = symmetric_root(gram)
    kept = _significant(values)
    # The published tool draws in min(M, N) directions, whether or not the points span them.
    spanned = kept if qr_directions is None else jnp.arange(num) >= num - qr_directions
    projector = (vectors * spanned) @ vectors.T
    frame = jnp.concatenate([root, jnp.ones((num, 1), gram.dtype)], axis=1) * mask[:, None]
    # NaN compares as "not kept", which would pass for a single point: keep it visible instead.
    frame = jnp.where(jnp.all(jnp.isfinite(values)), frame, jnp.nan)
    return frame, projector, jnp.sum(spanned).astype(gram.dtype), jnp.sum(kept).astype(jnp.int32)


def build_frames(grams: Grams, coefficients: Float[Array, "P K"], mask: Mask, *, frame: str = "rank") -> Frames:
    """Removes shared directions, combinations of its centers, from one layer and brings manifolds into their frames."""
    if grams.cross is None:
        raise ValueError("expected inner products with all centers, got none")
    return frames_without(grams, grams.centers_cross @ coefficients, grams.cross @ coefficients, mask, frame=frame)


def frames_without(
    grams: Grams, shared_centers: Float[Array, "P K"], shared_offsets: Float[Array, "P M K"], mask: Mask, *, frame: str
) -> Frames:
    """`build_frames` from inner products with the shared directions; `grams.cross` is not read."""
    squared = jnp.diagonal(grams.centers) - jnp.sum(shared_centers**2, axis=1)
    # Rounding leaves a trace of a center that is not there; below it the radius has no meaning.
    eps = jnp.finfo(mask.dtype).eps
    before, given, trace = grams.center_squares, jnp.diagonal(grams.centers), (4 * eps * grams.size) ** 2
    absent, vanished = ~(before > trace), ~(squared > 100 * eps * before + trace)
    norm = jnp.where(vanished, 0, jnp.sqrt(jnp.where(vanished, 1, squared)))
    # Directions that the caller gives are the caller's: they count only where they leave nothing.
    whole = jnp.where(given > 100 * eps * before + trace, given, before)
    own = grams.own - jnp.einsum("pik,pjk->pij", shared_offsets, shared_offsets)
    own = own / jnp.where(vanished, jnp.nan, norm**2)[:, None, None]
    qr_directions = grams.num_directions if frame == "qr" else None
    matrix, projector, num_directions, rank = jax.vmap(_frame_of_gram, (0, 0, None))(own, mask, qr_directions)
    center_norm = norm * grams.scale
    retained = jnp.where(absent, jnp.nan, norm / jnp.sqrt(jnp.where(absent, 1, whole)))
    return Frames(matrix, projector, num_directions, rank, center_norm, retained)
