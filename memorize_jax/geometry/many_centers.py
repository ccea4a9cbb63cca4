"""The search for shared directions of centers where there are so many that trying every number of them takes hours."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from memorize_jax.geometry import center_search
from memorize_jax.geometry.center_search import LEAST_RETAINED, LEAST_SQUARE, Candidate, Centers
from memorize_jax.geometry.lbfgs import minimize_batch
from memorize_jax.geometry.orthonormal import columns_backward, columns_forward, orthonormal_columns

# Evaluations for one K on the way, and for each share of `LEAST_RETAINED` at the K that is chosen.
EVALUATIONS, POLISHED = 4, 16
# On the way K grows by one in so many of itself: the correlation is flat around its least.
PER_STEP = 4
# Columns that are held as long as K is no larger; then twice as many.
FEWEST_COLUMNS = 64


class _Walk(NamedTuple):
    tried: Int32[Array, ""]  # K of the last step
    directions: Float[Array, "P W"]  # found for it
    chosen: Int32[Array, ""]  # the best K so far
    best: Candidate
    polished: Bool[Array, ""]  # whether the best has been brought to its end


def value_and_gradient(
    free: Float[Array, "P W"], share: ArrayLike, num_components: ArrayLike, centers: Centers
) -> tuple[Float[Array, ""], Float[Array, "P W"]]:
    """The objective of `center_search` and its gradient, written out: half of the time of the derived one.

    f = 1/2 sum_mn C_mn^2,  C_mn = A_mn / sqrt(a_m a_n),  A = G - O O',  O = X V,  a = diag A
    df/dO = 2 (c / a) O - 2 s C (s O),   s = a^-1/2,  c_m = sum_n C_mn^2
    """
    directions, inverse = columns_forward(free, num_components)
    overlap = centers.root @ directions
    given = jnp.diagonal(centers.gram)
    left = given - jnp.sum(overlap**2, axis=1)
    squares = jnp.maximum(left, LEAST_SQUARE)
    scale = jax.lax.rsqrt(squares)
    cosines = (centers.gram - overlap @ overlap.T) * scale[:, None] * scale[None, :]
    sums = jnp.sum(cosines**2, axis=1)
    present = center_search.present(centers.gram)
    usual = jnp.where(present, given, 1)
    shortage = jnp.where(present, jnp.maximum(1 - left / usual / share**2, 0), 0)
    num = len(given)
    value = 0.5 * jnp.sum(sums) + num * jnp.sum(shortage**2)
    by_square = jnp.where(left > LEAST_SQUARE, -sums / squares, 0) - 2 * num * shortage / (usual * share**2)
    by_overlap = -2 * by_square[:, None] * overlap - 2 * scale[:, None] * (cosines @ (scale[:, None] * overlap))
    return value, columns_backward(directions, inverse, centers.root.T @ by_overlap)


def _minimize(start, share, num_components, centers, maxiter):
    """From orthonormal columns to those that cost less."""

    def objective(free):
        value, gradient = value_and_gradient(free[0], share, num_components, centers)
        return value[None], gradient[None]

    tol = 1e-9 if start.dtype == jnp.float64 else 1e-5
    found, _ = minimize_batch(objective, start[None], maxiter=maxiter, tol=tol)
    return orthonormal_columns(found[0], num_components)


def polish_many(start: Float[Array, "P W"], num_components: ArrayLike, centers: Centers) -> Candidate:
    """Brings directions to their end, once for each share of `LEAST_RETAINED`, and keeps the most stable good ones."""
    shares = jnp.asarray(LEAST_RETAINED, start.dtype)
    found = jax.lax.map(lambda share: _minimize(start, share, num_components, centers, POLISHED), shares)
    return center_search.choose(found, centers)


def leading_components(num_components: ArrayLike, width: int, centers: Centers) -> Float[Array, "P W"]:
    """The leading principal components, which in their own axes are unit vectors."""
    return jnp.eye(len(centers.gram), width, dtype=centers.gram.dtype) * (jnp.arange(width) < num_components)


def _start(directions, before, after, centers):
    """The directions for a smaller K and the next principal components, or the leading ones alone: what costs less."""
    leading = leading_components(after, directions.shape[1], centers)
    grown = orthonormal_columns(jnp.where(jnp.arange(directions.shape[1]) < before, directions, leading), after)
    starts, share = jnp.stack([leading, grown]), min(LEAST_RETAINED)
    values = jax.lax.map(lambda start: value_and_gradient(start, share, after, centers)[0], starts)
    return jnp.where(values[1] < values[0], grown, leading)


def _widths(most):
    widths = [most]
    while widths[0] > 2 * FEWEST_COLUMNS:
        widths.insert(0, -(-widths[0] // 2))
    return widths


def search_many(min_components: int, centers: Centers) -> tuple[Int32[Array, ""], Candidate]:
    """What `center_search.search` does, for hundreds of centers: K grows by a quarter of itself, in one chain.

    Every K begins where the centers vary most, not at random, so that a few evaluations are enough and no key is
    needed; the K that is chosen is brought to its end by `polish_many`. K is found to about an eighth of itself.
    """
    num = len(centers.gram)
    most = num - 2
    nothing = center_search.nothing_removed(centers, 0)
    threshold = nothing.residual_correlation if min_components == 0 else jnp.inf

    def next_of(walk):
        return walk.tried + jnp.maximum(1, walk.tried // PER_STEP)

    def is_over(walk):
        patience = jnp.maximum(center_search.neighbor_distance(num), walk.chosen // 4)
        return next_of(walk) > jnp.minimum(centers.bound, walk.chosen + patience)

    def polish(walk):
        return walk.chosen, walk.directions, polish_many(walk.best.directions, walk.chosen, centers)

    def advance(walk):
        tried = next_of(walk)
        start = _start(walk.directions, walk.tried, tried, centers)
        found = _minimize(start, min(LEAST_RETAINED), tried, centers, EVALUATIONS)
        return tried, found, center_search.choose(found[None], centers)

    def step(walk):
        polishing = is_over(walk)
        tried, directions, candidate = jax.lax.cond(polishing, polish, advance, walk)
        to_beat = jnp.where(polishing | (walk.chosen == 0), threshold, walk.best.residual_correlation)
        better = candidate.usable & (candidate.residual_correlation < to_beat) & (tried >= min_components)
        keep = lambda new, old: jnp.where(better, new, old)
        best = jax.tree.map(keep, candidate, walk.best)
        return _Walk(jnp.maximum(walk.tried, tried), directions, keep(tried, walk.chosen), best, polishing)

    walk = _Walk(jnp.int32(0), nothing.directions, jnp.int32(0), nothing, jnp.bool_(False))
    for width in _widths(most):
        wide = lambda leaf, width=width: jnp.pad(leaf, ((0, 0), (0, width - leaf.shape[1])))
        best = walk.best._replace(directions=wide(walk.best.directions))
        walk = walk._replace(directions=wide(walk.directions), best=best)

        def unfinished(walk, width=width):
            return jnp.where(is_over(walk), (walk.chosen > 0) & ~walk.polished, next_of(walk) <= width)

        walk = jax.lax.while_loop(unfinished, step, walk)
    return walk.chosen, walk.best
