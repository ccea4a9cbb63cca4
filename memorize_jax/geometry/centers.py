"""Correlations between manifold centres, and the low-rank structure that is removed before the theory applies.

The theory assumes centres in random positions. Following Cohen et al. 2020, the few directions that centres share
are projected out of the data first: the ones after whose removal the centres are least correlated.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.eigen import symmetric_eigen
from memorize_jax.geometry.orthonormal import orthonormal_columns
from memorize_jax.geometry.points import is_concrete
from memorize_jax.geometry.solvers import minimize_smooth
from memorize_jax.keys import stream

# Restarts whose cost is within this share of the lowest compete on stability (design: measured on 15 cases).
COST_BAND = 0.03
# The search over K ends after this many rises of the residual correlation, as in the published tool.
PATIENCE = 3
# The search is kept from cancelling a centre altogether, where the cost is lowest and the geometry meaningless: below
# this share of its norm a centre adds a penalty of the order of the cost itself. Restarts take these shares in turn:
# the low ones find the lowest cost, the high ones stable solutions that random starts alone seldom find.
LEAST_RETAINED = (0.1, 0.3, 0.5, 0.7)
# Variance share and head room that bound K from above, as in the published tool.
VARIANCE_SHARE, HEAD_ROOM = 0.95, 10


class CenterStructure(NamedTuple):
    """Low-rank structure of the centres.

    Attributes:
      coefficients: [P, max_components]; the removed directions, orthonormal in feature space, are
        `coefficients.T @ centers`. Columns not used are zero.
      num_components: int32 scalar, K.
      center_correlation: scalar, mean |cos| between centres before the removal.
      residual_correlation: scalar, the same after it.
      cost: scalar, 1/2 sum over all pairs of cos^2 after the removal, the quantity minimised.
    """

    coefficients: jax.Array
    num_components: jax.Array
    center_correlation: jax.Array
    residual_correlation: jax.Array
    cost: jax.Array


class _Candidate(NamedTuple):
    directions: jax.Array  # [P, max_components], orthonormal columns in centre space, zero beyond K
    cost: jax.Array
    residual_correlation: jax.Array
    usable: jax.Array  # bool, whether every centre survives


def mean_absolute_cosine(gram: jax.Array) -> jax.Array:
    """Averages |cos| over all pairs of different vectors that are there.

    Args:
      gram: [P, P], their inner products.

    Returns:
      Scalar; a vector that is only rounding has no direction and takes no part. NaN if fewer than two are left.
    """
    present = _present(gram)
    norm = jnp.sqrt(jnp.where(present, jnp.diagonal(gram), 1))
    pairs = present[:, None] & present[None, :] & ~jnp.eye(len(gram), dtype=bool)
    cosine = jnp.where(pairs, jnp.abs(gram) / (norm[:, None] * norm[None, :]), 0)
    return jnp.sum(cosine) / jnp.sum(pairs)


def _present(gram):
    """Which vectors are more than the rounding of the longest one."""
    squares = jnp.diagonal(gram)
    return squares > 10 * jnp.finfo(gram.dtype).eps * jnp.max(squares)


class _Centers(NamedTuple):
    gram: jax.Array  # [P, P], G without what is only rounding
    root: jax.Array  # [P, P], G^(1/2), unique for G, as are the next two
    inverse: jax.Array  # [P, P], its pseudo-inverse
    projector: jax.Array  # [P, P], on the range of G
    values: jax.Array  # [P], eigenvalues of G, decreasing
    vectors: jax.Array  # [P, P], a column for each
    bound: jax.Array  # int32, largest K that leaves the centres a direction: the rank of G minus 1


def _decompose(gram):
    values, vectors = symmetric_eigen(gram)
    kept = values > jnp.finfo(gram.dtype).eps * 10 * gram.shape[0] * values[-1]
    root = jnp.sqrt(jnp.where(kept, values, 0))
    inverse = jnp.where(kept, 1 / jnp.where(kept, root, 1), 0)
    products = ((vectors * each) @ vectors.T for each in (root**2, root, inverse, kept))
    bound = jnp.maximum(jnp.sum(kept) - 1, 0).astype(jnp.int32)
    return _Centers(*products, values[::-1], vectors[:, ::-1], bound)


def _directions(free, num_components, projector):
    """Turns the first K columns of `free` into orthonormal directions inside the centres' span."""
    used = jnp.arange(free.shape[1]) < num_components
    return orthonormal_columns((projector @ free) * used, num_components)


def _residual_gram(centers, directions):
    overlap = centers.root @ directions
    return centers.gram - overlap @ overlap.T


def _cost(residual):
    norms = jnp.maximum(jnp.diagonal(residual), 1e-6)
    return 0.5 * jnp.sum(residual**2 / (norms[:, None] * norms[None, :]))


def _retained_squared(residual, gram):
    """Share that is left of every centre's square; 1 where there was no centre to lose."""
    present = _present(gram)
    return jnp.where(present, jnp.diagonal(residual) / jnp.where(present, jnp.diagonal(gram), 1), 1)


def _objective(free, num_components, centers, least_retained):
    residual = _residual_gram(centers, _directions(free, num_components, centers.projector))
    shortage = jnp.maximum(1 - _retained_squared(residual, centers.gram) / least_retained**2, 0)
    return _cost(residual) + len(residual) * jnp.sum(shortage**2)


def _best_of_restarts(key, num_components, max_components, num_restarts, centers) -> _Candidate:
    """Minimises the cost for one K from many starts and keeps the most stable of the good ones."""
    num, dtype = len(centers.gram), centers.gram.dtype
    starts = jax.random.normal(key, (num_restarts, num, max_components), dtype)
    # One start is not random: the leading principal components of the centres.
    starts = starts.at[0].set(centers.vectors[:, :max_components])
    shares = jnp.resize(jnp.asarray(LEAST_RETAINED, dtype), num_restarts)
    # In units of the cost before the removal, so that the tolerance fits any number of centres.
    scale = jnp.maximum(_cost(centers.gram), 1e-30)
    tol = 1e-9 if dtype == jnp.float64 else 1e-5

    def solve(item):
        start, share = item
        relative = lambda free: _objective(free, num_components, centers, share) / scale
        return minimize_smooth(relative, start, tol=tol, maxiter=150)

    # In a batch every restart would wait for the slowest line search.
    found = chunked_map(solve, (starts, shares), None)
    directions = jax.vmap(_directions, (0, None, None))(found, num_components, centers.projector)
    residuals = jax.vmap(_residual_gram, (None, 0))(centers, directions)
    costs = jax.vmap(_cost)(residuals)
    retained = jnp.min(jax.vmap(_retained_squared, (0, None))(residuals, centers.gram), axis=1)
    usable = jnp.isfinite(costs) & (retained >= (min(LEAST_RETAINED) / 2) ** 2)
    eligible = jnp.where(jnp.any(usable), usable, jnp.isfinite(costs))
    lowest = jnp.min(jnp.where(eligible, costs, jnp.inf))
    chosen = jnp.argmax(jnp.where(eligible & (costs <= (1 + COST_BAND) * lowest), retained, -jnp.inf))
    return _Candidate(directions[chosen], costs[chosen], mean_absolute_cosine(residuals[chosen]), usable[chosen])


def _search_num_components(key, min_components, max_components, num_restarts, centers):
    """Raises K until the residual correlation has risen `PATIENCE` times; keeps the K with the least.

    A K that takes a whole centre away never wins, so that where no other can be had nothing is removed.
    """
    values = jnp.cumsum(centers.values)
    spread = jnp.sum(values < VARIANCE_SHARE * values[-1]) + 1
    bound = jnp.minimum(jnp.minimum(max_components, centers.bound), spread + HEAD_ROOM)
    nothing = _nothing_removed(centers.gram, max_components)
    none = nothing.residual_correlation
    to_beat = none if min_components == 0 else jnp.full_like(none, jnp.inf)

    def unfinished(carry):
        num_components, rises, *_ = carry
        return (num_components <= bound) & (rises < PATIENCE)

    def try_next(carry):
        num_components, rises, previous, least, best_num, best = carry
        tried = _best_of_restarts(
            jax.random.fold_in(key, num_components), num_components, max_components, num_restarts, centers
        )
        correlation = jnp.where(tried.usable, tried.residual_correlation, jnp.inf)
        better = correlation < least
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), tried, best)
        best_num = jnp.where(better, num_components, best_num)
        rises = rises + (tried.residual_correlation > previous)
        return num_components + 1, rises, tried.residual_correlation, jnp.minimum(least, correlation), best_num, best

    start = (jnp.int32(max(min_components, 1)), jnp.int32(0), to_beat, to_beat, jnp.int32(0), nothing)
    *_, num_components, best = jax.lax.while_loop(unfinished, try_next, start)
    return num_components, best


def _nothing_removed(gram, max_components):
    return _Candidate(
        directions=jnp.zeros((len(gram), max_components), gram.dtype),
        cost=_cost(gram),
        residual_correlation=mean_absolute_cosine(gram),
        usable=jnp.bool_(True),
    )


def center_structure(
    gram: jax.Array,
    *,
    key: jax.Array,
    num_components: int | None = None,
    min_components: int = 0,
    max_components: int = 20,
    num_restarts: int = 16,
) -> CenterStructure:
    """Finds the directions whose removal leaves the centres least correlated.

        minimise over V, V'V = I_K:   1/2 sum_{m,n} A_mn^2 / (A_mm A_nn),   A = X X' - X V V' X'

    with X the centres minus their mean. Restarts run in one batch, on CPU one after another. Among those within 3 %
    of the lowest cost the one is kept whose worst-treated centre keeps the largest share of its norm: the very
    lowest cost can remove one centre altogether. With `num_components=None`, K rises until the mean |cos| has gone
    up three times, and the K with the least is taken; K = 0 (remove nothing) takes part unless `min_components`
    says otherwise.

    No K goes beyond the rank of X minus 1, which leaves the centres one direction to differ in; nor does one win that
    takes a centre away altogether: where there is no other, nothing is removed.

    Args:
      gram: [P, P] floating, inner products of the centres about any common origin.
      key: PRNG key of the random starts.
      num_components: K, or None to choose it.
      min_components: least K to choose from, if there is one; the published tool uses 1.
      max_components: static bound on K, beside that by the rank.
      num_restarts: starts per K.

    Returns:
      CenterStructure. Inside jit, a forced K beyond the rank gives NaN in all but K and the correlation before.

    Raises:
      ValueError: K beyond P - 2; outside jit also beyond the rank.

    References:
      Cohen, Chung, Lee & Sompolinsky 2020, supplement; Stephenson et al. 2021, appendix A.1.2.
    """
    check_num_components(gram, num_components)
    return _center_structure(gram, key, num_components, min_components, max_components, num_restarts)


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
@jax.default_matmul_precision("highest")
def _center_structure(gram, key, num_components, min_components, max_components, num_restarts):
    bound = max_num_components(len(gram))
    max_components = min(max_components, bound) if num_components is None else num_components
    centering, size, centers = _normalized(gram)
    key = stream(key, "center restarts")
    if max_components == 0:
        chosen, best = jnp.int32(0), _nothing_removed(centers.gram, 0)
    elif num_components is None:
        least = min(min_components, max_components)
        chosen, best = _search_num_components(key, least, max_components, num_restarts, centers)
    else:
        chosen = jnp.int32(num_components)
        best = _best_of_restarts(
            jax.random.fold_in(key, num_components), num_components, max_components, num_restarts, centers
        )
        best = jax.tree.map(lambda leaf: jnp.where(chosen <= centers.bound, leaf, jnp.nan), best)
    return CenterStructure(
        coefficients=centering @ centers.inverse @ best.directions / jnp.sqrt(size),
        num_components=chosen,
        center_correlation=mean_absolute_cosine(centers.gram),
        residual_correlation=best.residual_correlation,
        cost=best.cost,
    )


def _normalized(gram):
    """The matrix that centres, the mean square of the centres, and the centres in its unit."""
    num = len(gram)
    centering = jnp.eye(num, dtype=gram.dtype) - 1 / num
    centered = centering @ gram @ centering
    size = jnp.trace(centered) / num
    size = jnp.where(size > 0, size, 1)
    return centering, size, _decompose(centered / size)


def max_num_components(num_manifolds: int) -> int:
    """Largest K for any `num_manifolds` manifolds: their centres about the mean have at most P - 1 dimensions."""
    return max(num_manifolds - 2, 0)


def check_num_components(gram: jax.Array, num_components: int | None) -> None:
    """Refuses a K that would leave the centres no direction to differ in; inside jit only one that never could.

    Args:
      gram: [P, P], inner products of the centres about any common origin.
      num_components: K; None passes.

    Raises:
      ValueError: naming the bound.
    """
    if num_components is None:
        return
    bound, reason = max_num_components(len(gram)), "number of manifolds minus 2"
    if 0 <= num_components <= bound and is_concrete(gram) and jnp.all(jnp.isfinite(gram)):
        bound, reason = int(jax.jit(_normalized)(gram)[2].bound), "rank of the centers minus 1"
    if not 0 <= num_components <= bound:
        raise ValueError(f"expected num_center_components between 0 and {bound} ({reason}), got {num_components}")
