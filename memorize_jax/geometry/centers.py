"""Correlations between manifold centers, and the low-rank structure that is removed before the theory applies.

The theory assumes centers in random positions. Following Cohen et al. 2020, the few directions that centers share
are projected out of the data first: the ones after whose removal the centers are least correlated.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, PRNGKeyArray

from memorize_jax.geometry import center_callback, center_search, many_centers
from memorize_jax.geometry.center_search import mean_absolute_cosine
from memorize_jax.geometry.notebook import by_field
from memorize_jax.geometry.points import as_array, is_concrete
from memorize_jax.keys import check_key, stream
from memorize_jax.whole import check_whole

# Up to this share of the largest number the two halves of a matrix of inner products may differ by rounding.
ASYMMETRY = 1e-3


class CenterStructure(NamedTuple):
    """Low-rank structure of the centers."""

    # the removed directions, orthonormal in feature space, are `coefficients.T @ centers`. Columns not used are zero;
    # there are P - 2 where K is chosen.
    coefficients: Float[Array, "P K"]
    num_components: Int32[Array, ""]  # K
    center_correlation: Float[Array, ""]  # mean |cos| between centers before the removal
    residual_correlation: Float[Array, ""]  # the same after it
    cost: Float[Array, ""]  # 1/2 sum over all pairs of cos^2 after the removal, the quantity minimized
    # coefficients for fewer and for more directions than K; NaN where there are none
    neighbors: Float[Array, "2 P K"] | None = None

    _repr_html_ = by_field


def center_structure(
    gram: Any,
    *,
    key: PRNGKeyArray,
    num_components: int | None = None,
    min_components: int = 0,
    neighbors: bool = False,
    on_host: bool | None = None,
) -> CenterStructure:
    """Finds the directions whose removal leaves the centers least correlated.

        minimize over V, V'V = I_K:   1/2 sum_{m,n} A_mn^2 / (A_mm A_nn),   A = X X' - X V V' X'

    with X the centers minus their mean. Restarts run in one batch. Among those within 3 % of the lowest cost the one
    is kept whose worst-treated center keeps the largest share of its norm: the very lowest cost can remove one center
    altogether. With `num_components=None`, K rises until the mean |cos| falls no more, see `center_search.search`, and
    the K with the least is taken; K = 0 (remove nothing) takes part unless `min_components` says otherwise.

    Of more than `center_search.MANY` centers, K grows by a quarter of itself from step to step, from the principal
    components and not from random starts: `many_centers.search_many`.

    No K goes beyond the rank of X minus 1, which leaves the centers one direction to differ in; nor does one win that
    takes a center away altogether: where there is no other, nothing is removed.

    Args:
      gram: [P, P], inner products of the centers about any common origin; half precision and integers become float32.
      min_components: least K to choose from, if there is one; the published tool uses 1.
      neighbors: whether also to find the directions for max(1, round(P / 20)) fewer and more than K, or as many as
        there can be.
      on_host: whether to search in float64 on the processor's cores (`center_host`); None where that is possible. What
        `jax.export` is to store for the processor of another process cannot be, as for `GeometryOptions.solver`.

    Raises:
      ValueError: no square matrix of real numbers, no key, numbers that are not whole, K beyond P - 2; outside
        jit also a matrix that is not symmetric, and K beyond the rank, which inside gives NaN in all but K and the
        correlation before.

    References:
      Cohen, Chung, Lee & Sompolinsky 2020, supplement; Stephenson et al. 2021, appendix A.1.2.
    """
    gram = jnp.asarray(as_array(gram, "gram"))
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not len(gram):
        raise ValueError(f"expected gram [P, P], got {list(gram.shape)}")
    gram = gram.astype(jnp.promote_types(gram.dtype, jnp.float32))
    if is_concrete(gram) and _asymmetry(np.asarray(gram)) > ASYMMETRY:
        raise ValueError("expected inner products gram[m, n] = gram[n, m], got a matrix that is not symmetric")
    check_key(key)
    check_whole("min_components", min_components, least=0)
    check_num_components(gram, num_components)
    if on_host is None:
        on_host = center_callback.is_possible(len(gram), num_components)
    return _center_structure(gram, key, num_components, min_components, neighbors, on_host)


def _asymmetry(gram):
    largest = np.max(np.abs(gram))
    return np.max(np.abs(gram - gram.T)) / largest if largest > 0 else 0


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
@jax.default_matmul_precision("highest")
def _center_structure(gram, key, num_components, min_components, neighbors, on_host):
    key, most = stream(key, "center restarts"), max_num_components(len(gram))
    asked = {"num_components": num_components, "min_components": min_components, "neighbors": neighbors}
    on_device = functools.partial(_on_device, **asked, most=most)
    if not on_host:
        return on_device(gram, key)
    # A program may be made on a processor for another device: there the host does not exist.
    here = functools.partial(_on_host, **asked, most=most)
    return jax.lax.platform_dependent(gram, key, cpu=here, default=on_device)


def _on_host(gram, key, *, num_components, min_components, neighbors, most):
    if num_components is None:
        found = center_callback.search_on_host(gram, key, min_components=min_components, neighbors=neighbors)
        return CenterStructure(*found)

    def forced(number):
        own = jax.random.fold_in(key, number)
        return CenterStructure(*center_callback.force_on_host(gram, own, num_components=number))

    found = forced(num_components)
    if not neighbors:
        return found
    distance = center_search.neighbor_distance(len(gram))
    fewer, more = max(num_components - distance, 0), min(num_components + distance, most)

    def beside(number):
        if number == num_components:
            return jnp.full((len(gram), more), jnp.nan, gram.dtype)
        removed = forced(number).coefficients if number else jnp.zeros((len(gram), 0), gram.dtype)
        return jnp.pad(removed, ((0, 0), (0, more - number)))

    return found._replace(neighbors=jnp.stack([beside(fewer), beside(more)]))


def _on_device(gram, key, *, num_components, min_components, neighbors, most):
    centering, size, centers = _normalized(gram)
    many = len(gram) > center_search.MANY

    def forced(number):
        if number == 0:
            return center_search.nothing_removed(centers, 0)
        if many:
            start = many_centers.leading_components(number, number, centers)
            found = many_centers.polish_many(start, number, centers)
        else:
            found = center_search.best_of_restarts(jax.random.fold_in(key, number), number, centers)
        return jax.tree.map(lambda leaf: jnp.where(number <= centers.bound, leaf, jnp.nan), found)

    beside = None
    if num_components is None and many:
        chosen, best = many_centers.search_many(min_components, centers)
        if neighbors:
            beside = _beside_many(chosen, best.directions, centers)
    elif num_components is None and most > 0:
        chosen, best, beside = center_search.search(key, min_components, centers, neighbors=neighbors)
    else:
        number = num_components or 0
        chosen, best = jnp.int32(number), forced(number)
        if neighbors:
            distance = center_search.neighbor_distance(len(gram))
            numbers = max(number - distance, 0), min(number + distance, most)
            pad = lambda found: jnp.pad(found, ((0, 0), (0, numbers[1] - found.shape[1])))
            beside = jnp.stack([pad(forced(each).directions) for each in numbers]), jnp.array(numbers)
    coefficients = lambda directions: centering @ centers.inverse @ directions / jnp.sqrt(size)
    if beside is not None:
        directions, numbers = beside
        beside = jnp.where((numbers != chosen)[:, None, None], coefficients(directions), jnp.nan)
    return CenterStructure(
        coefficients=coefficients(best.directions),
        num_components=chosen,
        center_correlation=mean_absolute_cosine(centers.gram),
        residual_correlation=best.residual_correlation,
        cost=best.cost,
        neighbors=beside,
    )


def _beside_many(chosen, directions, centers):
    """Directions for fewer and for more than K of many centers, and their numbers."""
    distance = center_search.neighbor_distance(len(centers.gram))
    numbers = jnp.clip(chosen + distance * jnp.array([-1, 1]), 0, centers.bound)
    width = directions.shape[1]

    def polished(number):
        return many_centers.polish_many(many_centers.leading_components(number, width, centers), number, centers)

    return jax.lax.map(polished, numbers).directions, numbers


@jax.default_matmul_precision("highest")
def _normalized(gram):
    """The matrix that centers, the mean square of the centers, and the centers in its unit."""
    num = len(gram)
    centering = jnp.eye(num, dtype=gram.dtype) - 1 / num
    centered = centering @ gram @ centering
    size = jnp.trace(centered) / num
    size = jnp.where(size > 0, size, 1)
    return centering, size, center_search.decompose(centered / size)


def correlation_of(gram: Float[Array, "P P"]) -> Float[Array, ""]:
    """The mean |cos| between centers about their mean, of `gram` about any common origin."""
    return mean_absolute_cosine(_normalized(gram)[2].gram)


def max_num_components(num_manifolds: int) -> int:
    """Largest K for any `num_manifolds` manifolds: their centers about the mean have at most P - 1 dimensions."""
    return max(num_manifolds - 2, 0)


def check_num_components(gram: Float[Array, "P P"], num_components: int | None) -> None:
    """ValueError for a K that would leave the centers no direction to differ in; inside jit if it never could."""
    if num_components is None:
        return
    check_whole("num_center_components", num_components)
    bound, reason = max_num_components(len(gram)), "number of manifolds minus 2"
    if 0 <= num_components <= bound and is_concrete(gram) and jnp.all(jnp.isfinite(gram)):
        bound, reason = int(jax.jit(_normalized)(gram)[2].bound), "rank of the centers minus 1"
    if not 0 <= num_components <= bound:
        raise ValueError(f"expected num_center_components between 0 and {bound} ({reason}), got {num_components}")
