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
    orthonormal_of_each,
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

# Steps of the power method that finds the next direction: it need not be exact to begin with.
POWER_STEPS = 16


class Effort(NamedTuple):
    """What is spent on one number of directions."""

    per_step: int  # on the way K grows by one in so many of itself, by one at least
    evaluations: int  # for each K on the way
    polished: int  # for each share of `LEAST_RETAINED` at the K that is chosen
    beside: int  # the same for its neighbors


# With half the evaluations on the way K ends at a ripple, with twice as many nothing is gained. Where there are many,
# the correlation is flat around its least.
SPENT = Effort(per_step=MANY, evaluations=10, polished=200, beside=30)
SPENT_ON_MANY = Effort(per_step=4, evaluations=4, polished=16, beside=16)


class _Walk(NamedTuple):
    tried: Int32[Array, ""]  # K of the last step
    directions: Float[Array, "P W"]  # found for it
    chosen: Int32[Array, ""]  # the best K so far
    best: Candidate
    found: Float[Array, "P-1 P W"] | None  # directions for every K, where they are needed and not too many
    num_ended: Int32[Array, ""]  # how many of the following are there
    ended: Float[Array, "places*shares P W"]  # directions for K and its neighbors, brought to their end


def polish_many(num_components: int, centers: Centers) -> Candidate:
    """Minimizes the cost of removing K directions from many centers, from their leading principal components."""
    start = leading_components(num_components, num_components, centers)[None]
    shares = jnp.asarray(LEAST_RETAINED, start.dtype)[:, None]
    polished = lambda share: minimize(start, share, num_components, centers, SPENT_ON_MANY.polished)[0][0]
    return choose(jax.lax.map(polished, shares), centers)


def leading_components(num_components: ArrayLike, width: int, centers: Centers) -> Float[Array, "P W"]:
    """The leading principal components, which in their own axes are unit vectors."""
    return jnp.eye(len(centers.gram), width, dtype=centers.gram.dtype) * (jnp.arange(width) < num_components)


def next_direction(directions: Float[Array, "P W"], centers: Centers) -> Float[Array, " P"]:
    """The direction, of unit length, in which what directions leave of the centers, each of unit length, varies most.

    It is that of the leading eigenvector u of the cosines, X' (u / |x|), by the power method from the center that has
    most in common with others.
    """
    cosines, scale = cosines_of(residual_gram(centers, directions))
    unit = lambda vector: vector / jnp.maximum(jnp.linalg.norm(vector), jnp.finfo(vector.dtype).tiny)
    start = cosines[jnp.argmax(jnp.sum(cosines**2, axis=1))]
    vector = jax.lax.fori_loop(0, POWER_STEPS, lambda _, vector: unit(cosines @ vector), start)
    along = centers.root.T @ (scale * vector)
    return unit(along - directions @ (directions.T @ along))


def _start_of_many(directions, before, after, centers):
    """The directions for a smaller K and the next principal components, or the leading ones alone: what costs less."""
    leading = leading_components(after, directions.shape[1], centers)
    grown = jnp.where(jnp.arange(directions.shape[1]) < before, directions, leading)
    grown = orthonormal_of_each(grown[None], after)[0]
    starts, share = jnp.stack([leading, grown]), min(LEAST_RETAINED)
    values = jax.lax.map(lambda start: value_and_gradient(start, share, after, centers)[0], starts)
    return jnp.where(values[1] < values[0], grown, leading)


def _start(directions, before, centers):
    """The directions for a K, and one more."""
    column = jnp.arange(directions.shape[1])
    return jnp.where(column == before, next_direction(directions, centers)[:, None], directions)


def _widths(most):
    """Columns that are held, until K is larger: each of these is compiled."""
    widths = [most]
    if most <= MANY:
        # Seldom is K more than half of P, nor is one tried that is much more.
        return widths if most <= 50 else [-(-3 * most // 5), most]
    while widths[0] > 128:
        widths.insert(0, -(-widths[0] // 2))
    return widths


def walk_over_numbers(min_components: int, centers: Centers, *, neighbors: bool = False) -> Found:
    """What `center_search.search` does, for more than a few centers: one chain, from one K to the next.

    Every K begins with the directions before it and the one in which the rest varies most, not at random, so that a
    few evaluations are enough and no key is needed. Only the K that is chosen is brought to its end, once for each
    share of `LEAST_RETAINED`; so are its neighbors, if asked for. Of more than `MANY` centers K grows by a quarter of
    itself, by principal components, and is found to about an eighth of itself.
    """
    num, dtype = len(centers.gram), centers.gram.dtype
    most, many = num - 2, num > MANY
    effort = SPENT_ON_MANY if many else SPENT
    shares = jnp.asarray(LEAST_RETAINED, dtype)
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

    def step(walk):
        # One piece of program both goes on and brings to an end: what minimizes takes long to compile.
        ending = is_over(walk)
        place, width = walk.num_ended // len(shares), walk.directions.shape[1]
        if many:
            grown = _start_of_many(walk.directions, walk.tried, next_of(walk), centers)
        else:
            grown = _start(walk.directions, walk.tried, centers)
        number = jnp.where(ending, number_beside(walk, place), next_of(walk))
        beside = leading_components(number, width, centers) if walk.found is None else walk.found[number]
        start = jnp.where(place == 0, walk.best.directions, beside)
        # The end for one share is where the next begins.
        turn = walk.num_ended % len(shares)
        start = jnp.where(turn == 0, start, walk.ended[jnp.maximum(walk.num_ended - 1, 0)])
        start = jnp.where(ending, start, grown)
        share = jnp.where(ending, shares[turn], min(LEAST_RETAINED))
        evaluations = jnp.where(place == 0, effort.polished, effort.beside)
        evaluations = jnp.where(ending, evaluations, effort.evaluations)
        directions = minimize(start[None], share[None], number, centers, evaluations)[0][0]
        to_beat = jnp.where(walk.chosen == 0, threshold, walk.best.residual_correlation)
        to_beat = jnp.where(ending, -jnp.inf, to_beat)
        chosen, best = better_of(walk, number, choose(directions[None], centers), to_beat)
        ended = walk.ended.at[walk.num_ended].set(jnp.where(ending, directions, walk.ended[walk.num_ended]))
        found = walk.found
        if found is not None:
            found = found.at[number].set(jnp.where(ending, found[number], directions))
        keep = lambda new, old: jnp.where(ending, old, new)
        return _Walk(
            *(keep(number, walk.tried), keep(directions, walk.directions), chosen, best, found),
            *(walk.num_ended + ending, ended),
        )

    walk = _Walk(
        tried=jnp.int32(0),
        directions=nothing.directions,
        chosen=jnp.int32(0),
        best=nothing,
        found=jnp.zeros((most + 1, num, 0), dtype) if neighbors and not many else None,
        num_ended=jnp.int32(0),
        ended=jnp.zeros((len(offsets) * len(shares), num, 0), dtype),
    )
    for width in _widths(most):

        def phase(number, walk, width=width):
            # Of a batch all go on first, and come to their ends together.
            def unfinished(walk):
                going_on = ~is_over(walk) & (next_of(walk) <= width)
                return jnp.where(number == 0, going_on, is_over(walk) & (walk.num_ended < len(walk.ended)))

            return jax.lax.while_loop(unfinished, step, walk)

        walk = jax.lax.fori_loop(0, 2, phase, _wider(walk, width))
    ended = walk.ended.reshape(len(offsets), len(shares), num, most)
    chosen, best = better_of(walk, walk.chosen, choose(ended[0], centers), threshold)
    if not neighbors:
        return Found(chosen, best, None)
    beside = [(choose(ended[place], centers).directions, number_beside(walk, place)) for place in (1, 2)]
    directions, numbers = zip(*beside, strict=True)
    return Found(chosen, best, (jnp.stack(directions), jnp.stack(numbers)))


def _wider(walk, width):
    """The same with more columns, of zeros."""
    wide = lambda leaf: jnp.pad(leaf, ((0, 0),) * (leaf.ndim - 1) + ((0, width - leaf.shape[-1]),))
    best = walk.best._replace(directions=wide(walk.best.directions))
    found = None if walk.found is None else wide(walk.found)
    return walk._replace(directions=wide(walk.directions), best=best, found=found, ended=wide(walk.ended))
