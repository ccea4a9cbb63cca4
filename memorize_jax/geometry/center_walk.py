"""The search for shared directions where centers are more than a few: each number of them goes on from the last."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int32

from memorize_jax.geometry.center_objective import (
    MANY,
    Centers,
    cosines_of,
    minimize,
    residual_gram,
    value_and_gradient,
)
from memorize_jax.geometry.center_search import (
    LEAST_RETAINED,
    Candidate,
    Found,
    choose,
    neighbor_distance,
    nothing_removed,
    patience_for,
)
from memorize_jax.geometry.orthonormal import orthonormal_columns

# Steps of the power method that finds the next direction: it need not be exact to begin with.
POWER_STEPS = 16


class Effort(NamedTuple):
    """What is spent on one number of directions."""

    per_step: int  # on the way K grows by one in so many of itself, by one at least
    evaluations: int  # for each K on the way
    polished: int  # for each share of `LEAST_RETAINED` at the K that is chosen
    beside: int  # the same for its neighbors
    columns: int  # that are held at least as long as K is no larger; then twice as many


# Where there are many, the correlation is flat around its least.
SPENT = Effort(per_step=MANY, evaluations=10, polished=150, beside=30, columns=16)
SPENT_ON_MANY = Effort(per_step=4, evaluations=4, polished=16, beside=16, columns=64)


class _Walk(NamedTuple):
    tried: Int32[Array, ""]  # K of the last step
    directions: Float[Array, "P W"]  # found for it
    chosen: Int32[Array, ""]  # the best K so far
    best: Candidate
    polished: Int32[Array, ""]  # how many of K and its neighbors have been brought to their end
    beside: Float[Array, "2 P W"] | None  # directions for the neighbors
    found: Float[Array, "P-1 P W"] | None  # directions for every K, where they are needed and not too many


def polish(start: Float[Array, "P W"], num_components: ArrayLike, centers: Centers, maxiter: ArrayLike) -> Candidate:
    """Brings directions to their end, once for each share of `LEAST_RETAINED`, and keeps the most stable good ones."""
    shares = jnp.asarray(LEAST_RETAINED, start.dtype)
    if len(start) > MANY:
        found = jax.lax.map(lambda share: _from_one(start, share, num_components, centers, maxiter), shares)
    else:
        starts = jnp.broadcast_to(start, (len(shares), *start.shape))
        found = minimize(starts, shares, num_components, centers, maxiter)[0]
    return choose(found, centers)


def _from_one(start, share, num_components, centers, maxiter):
    share = jnp.asarray(share, start.dtype)
    return minimize(start[None], share[None], num_components, centers, maxiter)[0][0]


def polish_many(num_components: int, centers: Centers) -> Candidate:
    """Minimizes the cost of removing K directions from many centers, from their leading principal components."""
    start = leading_components(num_components, num_components, centers)
    return polish(start, num_components, centers, SPENT_ON_MANY.polished)


def leading_components(num_components: ArrayLike, width: int, centers: Centers) -> Float[Array, "P W"]:
    """The leading principal components, which in their own axes are unit vectors."""
    return jnp.eye(len(centers.gram), width, dtype=centers.gram.dtype) * (jnp.arange(width) < num_components)


def next_direction(directions: Float[Array, "P W"], centers: Centers) -> Float[Array, " P"]:
    """The direction in which what orthonormal directions leave of the centers, each of unit length, varies most.

    The leading eigenvector u of the cosines, by the power method from the center that has most in common with others:
    v ~ X' (u / |x|).
    """
    cosines, scale = cosines_of(residual_gram(centers, directions))
    start = cosines[jnp.argmax(jnp.sum(cosines**2, axis=1))]

    def once(_, vector):
        image = cosines @ vector
        return image / jnp.maximum(jnp.linalg.norm(image), jnp.finfo(image.dtype).tiny)

    return centers.root.T @ (scale * jax.lax.fori_loop(0, POWER_STEPS, once, start))


def _start(directions, before, after, centers):
    """The directions for a smaller K and others besides, or the leading principal components: what costs least."""
    column = jnp.arange(directions.shape[1])
    leading = leading_components(after, directions.shape[1], centers)
    known = jnp.where(column < before, directions, leading)
    with_next = jnp.where(column == before, next_direction(directions, centers)[:, None], known)
    starts = jnp.stack([leading, *(orthonormal_columns(each, after) for each in (known, with_next))])
    share = min(LEAST_RETAINED)
    values = jax.lax.map(lambda start: value_and_gradient(start, share, after, centers)[0], starts)
    return starts[jnp.argmin(jnp.where(jnp.isfinite(values), values, jnp.inf))]


def _widths(most, fewest):
    widths = [most]
    while widths[0] > 2 * fewest:
        widths.insert(0, -(-widths[0] // 2))
    return widths


def walk_over_numbers(min_components: int, centers: Centers, *, neighbors: bool = False) -> Found:
    """What `center_search.search` does, for more than a few centers: one chain, from one K to the next.

    Every K begins with the directions before it and those in which the rest varies most, not at random, so that a few
    evaluations are enough and no key is needed. Only the K that is chosen is brought to its end, once for each share of
    `LEAST_RETAINED`; so are its neighbors, if asked for. Of more than `MANY` centers K grows by a quarter of itself,
    and is found to about an eighth of itself.
    """
    num, dtype = len(centers.gram), centers.gram.dtype
    most, many = num - 2, num > MANY
    effort = SPENT_ON_MANY if many else SPENT
    nothing = nothing_removed(centers, 0)
    threshold = nothing.residual_correlation if min_components == 0 else jnp.inf
    offsets = neighbor_distance(num) * jnp.array([0, -1, 1] if neighbors else [0], jnp.int32)

    def next_of(walk):
        return walk.tried + jnp.maximum(1, walk.tried // effort.per_step)

    def is_over(walk):
        return next_of(walk) > jnp.minimum(centers.bound, walk.chosen + patience_for(walk.chosen, num))

    def number_beside(walk, place):
        return jnp.clip(walk.chosen + offsets[place], 0, centers.bound)

    def better_of(walk, number, candidate, to_beat):
        better = candidate.usable & (candidate.residual_correlation < to_beat) & (number >= min_components)
        keep = lambda new, old: jnp.where(better, new, old)
        return keep(number, walk.chosen), jax.tree.map(keep, candidate, walk.best)

    def advance(walk):
        # In a batch both branches of a condition are run; no evaluation is spent on what is not asked for.
        evaluations = jnp.where(is_over(walk), 0, effort.evaluations)
        number = next_of(walk)
        start = _start(walk.directions, walk.tried, number, centers)
        directions = _from_one(start, min(LEAST_RETAINED), number, centers, evaluations)
        to_beat = jnp.where(walk.chosen == 0, threshold, walk.best.residual_correlation)
        chosen, best = better_of(walk, number, choose(directions[None], centers), to_beat)
        found = None if walk.found is None else walk.found.at[number].set(directions)
        return walk._replace(tried=number, directions=directions, chosen=chosen, best=best, found=found)

    def bring_to_end(walk):
        own = walk.polished == 0
        number = number_beside(walk, walk.polished)
        if walk.found is None:
            other = leading_components(number, walk.directions.shape[1], centers)
        else:
            other = walk.found[number]
        start = jnp.where(own, walk.best.directions, other)
        evaluations = jnp.where(own, effort.polished, effort.beside)
        candidate = polish(start, number, centers, jnp.where(is_over(walk), evaluations, 0))
        chosen, best = better_of(walk, number, candidate, jnp.where(own, threshold, -jnp.inf))
        beside = walk.beside
        if beside is not None:
            place = jnp.maximum(walk.polished - 1, 0)
            beside = beside.at[place].set(candidate.directions)
        return walk._replace(chosen=chosen, best=best, polished=walk.polished + 1, beside=beside)

    walk = _Walk(
        tried=jnp.int32(0),
        directions=nothing.directions,
        chosen=jnp.int32(0),
        best=nothing,
        polished=jnp.int32(0),
        beside=jnp.zeros((2, num, 0), dtype) if neighbors else None,
        found=jnp.zeros((most + 1, num, 0), dtype) if neighbors and not many else None,
    )
    for width in _widths(most, effort.columns):
        walk = _wider(walk, width)

        def unfinished(walk, width=width):
            return jnp.where(is_over(walk), walk.polished < len(offsets), next_of(walk) <= width)

        step = lambda walk: jax.lax.cond(is_over(walk), bring_to_end, advance, walk)
        walk = jax.lax.while_loop(unfinished, step, walk)
    beside = None
    if walk.beside is not None:
        beside = walk.beside, jnp.stack([number_beside(walk, place) for place in (1, 2)])
    return Found(walk.chosen, walk.best, beside)


def _wider(walk, width):
    """The same with more columns, of zeros."""
    wide = lambda leaf: jnp.pad(leaf, ((0, 0),) * (leaf.ndim - 1) + ((0, width - leaf.shape[-1]),))
    names = [name for name in ("directions", "beside", "found") if getattr(walk, name) is not None]
    best = walk.best._replace(directions=wide(walk.best.directions))
    return walk._replace(best=best, **{name: wide(getattr(walk, name)) for name in names})
