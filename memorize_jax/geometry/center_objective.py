"""What the search for shared directions of centers minimizes, with its gradient, and how it is minimized."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from memorize_jax.geometry.eigen import symmetric_eigen
from memorize_jax.geometry.lbfgs import minimize_batch
from memorize_jax.geometry.orthonormal import columns_backward, columns_forward, orthonormal_columns

# Beyond so many centers the search takes larger steps, and less of memory.
MANY = 256
# Squares of centers count as at least this, in units of their mean square, so that the cost stays finite.
LEAST_SQUARE = 1e-6


class Centers(NamedTuple):
    """Centers about their mean, in the unit of their mean square, by their P x P inner products."""

    gram: Float[Array, "P P"]  # G without what is only rounding
    # centers in the axes of their principal components, decreasing: root @ root.T = G. Axes beyond the rank are zero,
    # so that no gradient leads out of the span of the centers.
    root: Float[Array, "P P"]
    inverse: Float[Array, "P P"]  # from these axes to the combinations of centers that lie along them
    axes: Float[Array, "P P"]  # eigenvectors of G, zero beyond the rank
    bound: Int32[Array, ""]  # largest K that leaves the centers a direction: the rank of G minus 1


def decompose(gram: Float[Array, "P P"]) -> Centers:
    """Brings centers, given by their inner products about their mean, into the axes of their principal components."""
    values, vectors = symmetric_eigen(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    num = gram.shape[0]
    # Rounding leaves a few eps of the largest value; where centers are many, P times that would take real directions.
    kept = values > jnp.finfo(gram.dtype).eps * 10 * (num if num <= MANY else num**0.5) * values[0]
    scales = jnp.sqrt(jnp.where(kept, values, 1))
    axes = jnp.where(kept, vectors, 0)
    root = axes * scales
    bound = jnp.maximum(jnp.sum(kept) - 1, 0).astype(jnp.int32)
    return Centers(root @ root.T, root, axes / scales, axes, bound)


def present(gram: Float[Array, "P P"]) -> Bool[Array, " P"]:
    """Tells which vectors, given by their inner products, are more than the rounding of the longest one."""
    squares = jnp.diagonal(gram)
    return squares > 10 * jnp.finfo(gram.dtype).eps * jnp.max(squares)


def mean_absolute_cosine(gram: Float[Array, "P P"]) -> Float[Array, ""]:
    """Averages |cos| over all pairs of different vectors, given by their inner products.

    A vector that is only rounding has no direction and takes no part. NaN if fewer than two are left.
    """
    here = present(gram)
    norm = jnp.sqrt(jnp.where(here, jnp.diagonal(gram), 1))
    pairs = here[:, None] & here[None, :] & ~jnp.eye(len(gram), dtype=bool)
    cosine = jnp.where(pairs, jnp.abs(gram) / (norm[:, None] * norm[None, :]), 0)
    return jnp.sum(cosine) / jnp.sum(pairs)


def residual_gram(centers: Centers, directions: Float[Array, "P W"]) -> Float[Array, "P P"]:
    """Inner products of the centers without orthonormal directions; columns of zeros are none."""
    overlap = centers.root @ directions
    return centers.gram - overlap @ overlap.T


def cosines_of(residual: Float[Array, "P P"]) -> tuple[Float[Array, "P P"], Float[Array, " P"]]:
    """Cosines between vectors, given by their inner products, and one over their lengths."""
    scale = jax.lax.rsqrt(jnp.maximum(jnp.diagonal(residual), LEAST_SQUARE))
    return residual * scale[:, None] * scale[None, :], scale


def cost_of(residual: Float[Array, "P P"]) -> Float[Array, ""]:
    """1/2 sum of cos^2 over all pairs of vectors, given by their inner products."""
    return 0.5 * jnp.sum(cosines_of(residual)[0] ** 2)


def retained_squared(residual: Float[Array, "P P"], gram: Float[Array, "P P"]) -> Float[Array, " P"]:
    """Share that is left of every center's square; 1 where there was no center to lose."""
    here = present(gram)
    return jnp.where(here, jnp.diagonal(residual) / jnp.where(here, jnp.diagonal(gram), 1), 1)


def value_and_gradient(
    free: Float[Array, "P W"], share: ArrayLike, num_components: ArrayLike, centers: Centers
) -> tuple[Float[Array, ""], Float[Array, "P W"]]:
    """The cost without the span V of K columns, with a penalty on what takes a center away; and its gradient.

        f = 1/2 sum_mn C_mn^2 + P sum_m [1 - a_m / (share^2 G_mm)]_+^2
        C_mn = A_mn / sqrt(a_m a_n),  A = G - O O',  O = X V,  a = diag A
        df/dO = 2 (c / a - 2 P [..]_m / (share^2 G_mm)) O - 2 s C (s O),   s = a^-1/2,  c_m = sum_n C_mn^2

    Written out it takes half of the time of the derived gradient, and a part of its compilation. V lies in the axes of
    X beyond which X has nothing, and so does the gradient.

    Args:
      free: any columns, zero beyond the first K; only their span counts.
      share: of its length that a center keeps before the penalty sets in.
      num_components: K.
    """
    directions, inverse = columns_forward(free, num_components)
    overlap = centers.root @ directions
    given = jnp.diagonal(centers.gram)
    residual = centers.gram - overlap @ overlap.T
    left = jnp.diagonal(residual)
    cosines, scale = cosines_of(residual)
    sums = jnp.sum(cosines**2, axis=1)
    here = present(centers.gram)
    allowed = jnp.where(here, given, 1) * share**2
    shortage = jnp.where(here, jnp.maximum(1 - left / allowed, 0), 0)
    num = len(given)
    value = 0.5 * jnp.sum(sums) + num * jnp.sum(shortage**2)
    by_square = jnp.where(left > LEAST_SQUARE, -sums * scale**2, 0) - 2 * num * shortage / allowed
    by_overlap = -2 * by_square[:, None] * overlap - 2 * scale[:, None] * (cosines @ (scale[:, None] * overlap))
    return value, columns_backward(directions, inverse, centers.root.T @ by_overlap)


def minimize(
    starts: Float[Array, "R P W"],
    shares: Float[Array, " R"],
    num_components: ArrayLike,
    centers: Centers,
    maxiter: ArrayLike,
) -> tuple[Float[Array, "R P W"], Float[Array, " R"]]:
    """From many starts, zero beyond their first K columns, to orthonormal directions and what they cost.

    `maxiter` bounds the evaluations of each start, all of which are one batch; arguments of `value_and_gradient`.
    """
    both = jax.vmap(value_and_gradient, (0, 0, None, None))
    tol = 1e-9 if starts.dtype == jnp.float64 else 1e-5
    objective = lambda free: both(free, shares, num_components, centers)
    found, values = minimize_batch(objective, starts, maxiter=maxiter, tol=tol)
    return orthonormal_of_each(found, num_components), values


def orthonormal_of_each(columns: Float[Array, "R P W"], num_components: ArrayLike) -> Float[Array, "R P W"]:
    """`orthonormal_columns` of a batch, whatever lies beyond the first K columns."""
    used = columns * (jnp.arange(columns.shape[2]) < num_components)
    return jax.vmap(orthonormal_columns, (0, None))(used, num_components)
