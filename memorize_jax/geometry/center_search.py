"""Search for the directions whose removal leaves centers least correlated: for one number of them, or over all."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from memorize_jax.geometry.center_objective import (
    Centers,
    cost_of,
    mean_absolute_cosine,
    minimize,
    orthonormal_of_each,
    residual_gram,
    retained_squared,
)

# Up to so many possible K each of them starts anew as well, and is brought to its end.
FEW = 10
# Starts for each K, and evaluations of each.
NUM_RESTARTS, EVALUATIONS = 16, 150
# Restarts whose cost is within this share of the lowest compete on stability (design: measured on 15 cases).
COST_BAND = 0.03
# Shares of a norm that count as equal.
TIE = 0.02
# The search is kept from cancelling a center altogether, where the cost is lowest and the geometry meaningless: below
# this share of its norm a center adds a penalty of the order of the cost itself. Restarts take these shares in turn:
# the low ones find the lowest cost, the high ones stable solutions that random starts alone seldom find.
LEAST_RETAINED = (0.1, 0.3, 0.5, 0.7)
# The search over K ends when so many K beyond the best, or a quarter of it, were no better: at P = 100 the correlation
# falls to K = 20 to 40 and is flat around its least, where a fixed patience would take a ripple for the end.
PATIENCE = 3


class Candidate(NamedTuple):
    """Directions to remove, and what is left."""

    directions: Float[Array, "P W"]  # orthonormal columns in the axes of `Centers`; zero beyond K
    cost: Float[Array, ""]  # 1/2 sum of cos^2 over all pairs
    residual_correlation: Float[Array, ""]  # mean |cos|
    usable: Bool[Array, ""]  # whether every center survives


class Found(NamedTuple):
    """The number of directions that was chosen."""

    chosen: Int32[Array, ""]  # K
    best: Candidate
    # directions for `neighbor_distance` fewer and more than K, as far as K goes, and their numbers
    beside: tuple[Float[Array, "2 P W"], Int32[Array, " 2"]] | None


def choose(directions: Float[Array, "R P W"], centers: Centers) -> Candidate:
    """Chooses the most stable of the restarts whose cost is close to the lowest."""
    residuals = jax.vmap(residual_gram, (None, 0))(centers, directions)
    costs = jax.vmap(cost_of)(residuals)
    squared = jax.vmap(retained_squared, (0, None))(residuals, centers.gram)
    retained = jnp.sqrt(jnp.maximum(jnp.min(squared, axis=1), 0))
    usable = jnp.isfinite(costs) & (retained >= min(LEAST_RETAINED) / 2)
    eligible = jnp.where(jnp.any(usable), usable, jnp.isfinite(costs))
    lowest = jnp.min(jnp.where(eligible, costs, jnp.inf))
    close = eligible & (costs <= (1 + COST_BAND) * lowest)
    # Restarts that end at the same share differ only by rounding, which shall not choose: of these the lowest cost.
    stable = close & (retained >= jnp.max(jnp.where(close, retained, -jnp.inf)) - TIE)
    chosen = jnp.argmin(jnp.where(stable, costs, jnp.inf))
    return Candidate(directions[chosen], costs[chosen], mean_absolute_cosine(residuals[chosen]), usable[chosen])


def nothing_removed(centers: Centers, width: int) -> Candidate:
    """The candidate with K = 0."""
    gram = centers.gram
    none = jnp.zeros((len(gram), width), gram.dtype)
    return Candidate(none, cost_of(gram), mean_absolute_cosine(gram), jnp.bool_(True))


def neighbor_distance(num_manifolds: int) -> int:
    """How far from K its neighbors are: a twentieth of P."""
    return max(1, (num_manifolds + 10) // 20)


def patience_for(chosen: Int32[Array, ""], num_manifolds: int) -> Int32[Array, ""]:
    """How many K beyond the best have to be no better; both neighbors have then been tried."""
    return jnp.maximum(max(PATIENCE, neighbor_distance(num_manifolds)), chosen // 4)


def _starts(key, num_components, centers):
    """Standard normal [R, P, W] in the axes of the centers, whatever signs these have; the first is no random one."""
    num, dtype = len(centers.gram), centers.gram.dtype
    draws = jax.random.normal(key, (NUM_RESTARTS, num, num_components), dtype)
    shares = jnp.resize(jnp.asarray(LEAST_RETAINED, dtype), (NUM_RESTARTS,))
    return (centers.axes.T @ draws).at[0].set(jnp.eye(num, num_components, dtype=dtype)), shares


def best_of_restarts(key: PRNGKeyArray, num_components: int, centers: Centers) -> Candidate:
    """Minimizes the cost for one K from many starts and keeps the most stable of the good ones.

    One of the starts is the leading principal components of the centers.
    """
    starts, shares = _starts(key, num_components, centers)
    starts = orthonormal_of_each(starts, num_components)
    return choose(minimize(starts, shares, num_components, centers, EVALUATIONS)[0], centers)


class _Tried(NamedTuple):
    tried: Int32[Array, ""]  # K of the last step
    chains: Float[Array, "4 P W"]  # the directions found for it, one for each share of LEAST_RETAINED
    chosen: Int32[Array, ""]  # the best K so far
    best: Candidate
    found: Float[Array, "P-1 P W"]  # the directions for every K


def search(key: PRNGKeyArray, min_components: int, centers: Centers, *, neighbors: bool = False) -> Found:
    """Raises K while the residual correlation falls, and keeps the K with the least.

    Every K continues from the directions for K - 1, a chain for each share of `LEAST_RETAINED`, and starts anew as
    well. A K that takes a whole center away never wins, so that where no other can be had nothing is removed. K is at
    least `min_components`, if there is one.
    """
    num = len(centers.gram)
    most, num_chains = num - 2, len(LEAST_RETAINED)
    random, shares = _starts(key, most, centers)
    nothing = nothing_removed(centers, most)
    threshold = nothing.residual_correlation if min_components == 0 else jnp.inf

    def unfinished(walk):
        return walk.tried < jnp.minimum(centers.bound, walk.chosen + patience_for(walk.chosen, num))

    def step(walk):
        tried = walk.tried + 1
        grown = jnp.where(jnp.arange(most) < walk.tried, walk.chains, random[-num_chains:])
        starts = orthonormal_of_each(jnp.concatenate([grown, random[:-num_chains]]), tried)
        found, values = minimize(starts, shares, tried, centers, EVALUATIONS)
        chains = found[jnp.argmin(jnp.where(shares == shares[:num_chains, None], values, jnp.inf), axis=1)]
        candidate = choose(found, centers)
        to_beat = jnp.where(walk.chosen == 0, threshold, walk.best.residual_correlation)
        better = candidate.usable & (candidate.residual_correlation < to_beat) & (tried >= min_components)
        keep = lambda new, old: jnp.where(better, new, old)
        best = jax.tree.map(keep, candidate, walk.best)
        every = walk.found.at[tried].set(candidate.directions)
        return _Tried(tried, chains, keep(tried, walk.chosen), best, every)

    none = jnp.zeros((most + 1, num, most), random.dtype)
    walk = _Tried(jnp.int32(0), jnp.zeros((num_chains, num, most), random.dtype), jnp.int32(0), nothing, none)
    walk = jax.lax.while_loop(unfinished, step, walk)
    beside = jnp.clip(walk.chosen + neighbor_distance(num) * jnp.array([-1, 1], jnp.int32), 0, centers.bound)
    return Found(walk.chosen, walk.best, (walk.found[beside], beside) if neighbors else None)
