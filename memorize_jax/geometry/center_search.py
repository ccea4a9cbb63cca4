"""Search for the directions whose removal leaves centers least correlated: for one number of them, and over all."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from memorize_jax.geometry.eigen import symmetric_eigen
from memorize_jax.geometry.lbfgs import minimize_batch
from memorize_jax.geometry.orthonormal import orthonormal_columns

# Beyond so many centers they are searched by `many_centers`.
MANY = 256
# Squares of centers count as at least this, in units of their mean square, so that the cost stays finite.
LEAST_SQUARE = 1e-6
# Starts for each K; a K beyond ten that is not forced continues from the last one instead.
NUM_RESTARTS = 16
# Restarts whose cost is within this share of the lowest compete on stability (design: measured on 15 cases).
COST_BAND = 0.03
# Shares of a norm that count as equal.
TIE = 0.02
# The search is kept from canceling a center altogether, where the cost is lowest and the geometry meaningless: below
# this share of its norm a center adds a penalty of the order of the cost itself. Restarts take these shares in turn:
# the low ones find the lowest cost, the high ones stable solutions that random starts alone seldom find.
LEAST_RETAINED = (0.1, 0.3, 0.5, 0.7)
# The search over K ends when so many K beyond the best, or a quarter of it, were no better: at P = 100 the correlation
# falls to K = 20 to 40 and is flat around its least, where a fixed patience would take a ripple for the end.
PATIENCE = 3
# Up to so many possible K each of them starts anew as well, and is brought to its end.
FEW = 10
# Evaluations for one K from random starts, from the directions for K - 1, and for the K that is chosen.
EVALUATIONS, CONTINUED, POLISHED = 150, 30, 300


class Centers(NamedTuple):
    """Centers about their mean, in the unit of their mean square, by their P x P inner products."""

    gram: Float[Array, "P P"]  # G without what is only rounding
    # centers in the axes of their principal components, decreasing: root @ root.T = G. Axes beyond the rank are zero,
    # so that no gradient leads out of the span of the centers.
    root: Float[Array, "P P"]
    inverse: Float[Array, "P P"]  # from these axes to the combinations of centers that lie along them
    axes: Float[Array, "P P"]  # eigenvectors of G, zero beyond the rank
    bound: Int32[Array, ""]  # largest K that leaves the centers a direction: the rank of G minus 1


class Candidate(NamedTuple):
    """Directions to remove, and what is left."""

    directions: Float[Array, "P W"]  # orthonormal columns in the axes of `Centers`; zero beyond K
    cost: Float[Array, ""]  # 1/2 sum of cos^2 over all pairs
    residual_correlation: Float[Array, ""]  # mean |cos|
    usable: Bool[Array, ""]  # whether every center survives


def rounding_of(num: int) -> float:
    """Up to how many times the precision of the largest one an eigenvalue of `num` centers is only rounding.

    Rounding leaves 3 to 10 with 10 or 20 centers, 1 to 2 from 100 on, where `num` times it would take real directions.
    """
    return 10.0 * max(min(num, 5), num**0.5)


def decompose(gram: Float[Array, "P P"]) -> Centers:
    """Brings centers, given by their inner products about their mean, into the axes of their principal components."""
    values, vectors = symmetric_eigen(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > rounding_of(len(gram)) * jnp.finfo(gram.dtype).eps * values[0]
    scales = jnp.sqrt(jnp.where(kept, values, 1))
    axes = jnp.where(kept, vectors, 0)
    root = axes * scales
    bound = jnp.maximum(jnp.sum(kept) - 1, 0).astype(jnp.int32)
    return Centers(root @ root.T, root, axes / scales, axes, bound)


def mean_absolute_cosine(gram: Float[Array, "P P"]) -> Float[Array, ""]:
    """Averages |cos| over all pairs of different vectors, given by their inner products.

    A vector that is only rounding has no direction and takes no part. NaN if fewer than two are left.
    """
    here = present(gram)
    norm = jnp.sqrt(jnp.where(here, jnp.diagonal(gram), 1))
    pairs = here[:, None] & here[None, :] & ~jnp.eye(len(gram), dtype=bool)
    cosine = jnp.where(pairs, jnp.abs(gram) / (norm[:, None] * norm[None, :]), 0)
    return jnp.sum(cosine) / jnp.sum(pairs)


def present(gram: Float[Array, "P P"]) -> Bool[Array, " P"]:
    """Tells which vectors are more than the rounding of the longest one."""
    squares = jnp.diagonal(gram)
    return squares > 10 * jnp.finfo(gram.dtype).eps * jnp.max(squares)


def _residual_gram(centers, directions):
    overlap = centers.root @ directions
    return centers.gram - overlap @ overlap.T


def _cost(residual):
    norms = jnp.maximum(jnp.diagonal(residual), LEAST_SQUARE)
    return 0.5 * jnp.sum(residual**2 / (norms[:, None] * norms[None, :]))


def _retained_squared(residual, gram):
    """Share that is left of every center's square; 1 where there was no center to lose."""
    here = present(gram)
    return jnp.where(here, jnp.diagonal(residual) / jnp.where(here, jnp.diagonal(gram), 1), 1)


def _objective(free, share, num_components, centers):
    residual = _residual_gram(centers, orthonormal_columns(free, num_components))
    shortage = jnp.maximum(1 - _retained_squared(residual, centers.gram) / share**2, 0)
    return _cost(residual) + len(residual) * jnp.sum(shortage**2)


def _minimize(starts, shares, num_components, centers, maxiter):
    """From [R, P, W] starts, whatever lies in their first K columns, to orthonormal directions and what they cost."""
    orthonormal = jax.vmap(orthonormal_columns, (0, None))
    starts = orthonormal(starts * (jnp.arange(starts.shape[2]) < num_components), num_components)
    both = jax.vmap(jax.value_and_grad(_objective), (0, 0, None, None))
    tol = 1e-9 if starts.dtype == jnp.float64 else 1e-5
    objective = lambda free: both(free, shares, num_components, centers)
    found, values = minimize_batch(objective, starts, maxiter=maxiter, tol=tol)
    return orthonormal(found, num_components), values


def choose(directions: Float[Array, "R P W"], centers: Centers) -> Candidate:
    """Chooses the most stable of the restarts whose cost is close to the lowest."""
    residuals = jax.vmap(_residual_gram, (None, 0))(centers, directions)
    costs = jax.vmap(_cost)(residuals)
    squared = jax.vmap(_retained_squared, (0, None))(residuals, centers.gram)
    retained = jnp.sqrt(jnp.maximum(jnp.min(squared, axis=1), 0))
    usable = jnp.isfinite(costs) & (retained >= min(LEAST_RETAINED) / 2)
    eligible = jnp.where(jnp.any(usable), usable, jnp.isfinite(costs))
    lowest = jnp.min(jnp.where(eligible, costs, jnp.inf))
    close = eligible & (costs <= (1 + COST_BAND) * lowest)
    # Restarts that end at the same share differ only by rounding, which shall not choose: of these the lowest cost.
    stable = close & (retained >= jnp.max(jnp.where(close, retained, -jnp.inf)) - TIE)
    chosen = jnp.argmin(jnp.where(stable, costs, jnp.inf))
    return Candidate(directions[chosen], costs[chosen], mean_absolute_cosine(residuals[chosen]), usable[chosen])


def _starts(draws, centers):
    """Standard normal [R, P, W] in the axes of the centers, whatever signs these have; the first is no random one."""
    num, width = draws.shape[1:]
    return (centers.axes.T @ draws).at[0].set(jnp.eye(num, width, dtype=draws.dtype))


def _shares_in_turn(num_starts, dtype):
    return jnp.resize(jnp.asarray(LEAST_RETAINED, dtype), num_starts)


def best_of_restarts(key: PRNGKeyArray, num_components: int, centers: Centers) -> Candidate:
    """Minimizes the cost for one K from many starts and keeps the most stable of the good ones.

    One of the starts is the leading principal components of the centers.
    """
    draws = jax.random.normal(key, (NUM_RESTARTS, len(centers.gram), num_components), centers.gram.dtype)
    starts = _starts(draws, centers)
    shares = _shares_in_turn(NUM_RESTARTS, starts.dtype)
    return choose(_minimize(starts, shares, num_components, centers, EVALUATIONS)[0], centers)


def nothing_removed(centers: Centers, width: int) -> Candidate:
    """The candidate with K = 0."""
    gram = centers.gram
    none = jnp.zeros((len(gram), width), gram.dtype)
    return Candidate(none, _cost(gram), mean_absolute_cosine(gram), jnp.bool_(True))


class _Walk(NamedTuple):
    tried: Int32[Array, ""]  # K of the last step
    chains: Float[Array, "4 P W"]  # the directions found for it, one for each share of LEAST_RETAINED
    chosen: Int32[Array, ""]  # the best K so far
    best: Candidate
    best_chains: Float[Array, "4 P W"]
    polished: Bool[Array, ""]  # whether the best has been brought to its end
    found: Float[Array, "P-1 P W"] | None  # the directions for every K


def neighbor_distance(num_manifolds: int) -> int:
    """How far from K its neighbors are: a twentieth of P."""
    return max(1, (num_manifolds + 10) // 20)


def search(
    key: PRNGKeyArray, min_components: int, centers: Centers, *, neighbors: bool = False
) -> tuple[Int32[Array, ""], Candidate, tuple[Float[Array, "2 P W"], Int32[Array, " 2"]] | None]:
    """Raises K while the residual correlation falls, and keeps the K with the least.

    Every K continues from the directions for K - 1, a chain for each share of `LEAST_RETAINED`. Where P is small each
    also starts anew; where it is not, chains are followed with few evaluations, and only the K that is chosen is
    brought to its end. A K that takes a whole center away never wins, so that where no other can be had nothing is
    removed.

    K is at least `min_components`, if there is one. With `neighbors` come also the directions for `neighbor_distance`
    fewer and more, as far as K goes, and their numbers.
    """
    num, dtype = len(centers.gram), centers.gram.dtype
    most, num_chains, distance = num - 2, len(LEAST_RETAINED), neighbor_distance(num)
    few = most <= FEW
    draws = jax.random.normal(key, (NUM_RESTARTS if few else num_chains, num, most), dtype)
    random = _starts(draws, centers)
    shares = _shares_in_turn(len(random), dtype)
    nothing = nothing_removed(centers, most)
    threshold = nothing.residual_correlation if min_components == 0 else jnp.inf

    def is_over(walk):
        patience = jnp.maximum(max(PATIENCE, distance), walk.chosen // 4)
        return walk.tried >= jnp.minimum(centers.bound, walk.chosen + patience)

    def unfinished(walk):
        return ~is_over(walk) if few else ~is_over(walk) | ((walk.chosen > 0) & ~walk.polished)

    def step(walk):
        polish = is_over(walk)
        tried = jnp.where(polish, walk.chosen, walk.tried + 1)
        grown = jnp.where(jnp.arange(most) < walk.tried, walk.chains, random[-num_chains:])
        starts = jnp.concatenate([jnp.where(polish, walk.best_chains, grown), random[:-num_chains]])
        maxiter = EVALUATIONS if few else jnp.where(polish, POLISHED, CONTINUED)
        found, values = _minimize(starts, shares, tried, centers, maxiter)
        chains = found[jnp.argmin(jnp.where(shares == shares[:num_chains, None], values, jnp.inf), axis=1)]
        candidate = choose(found, centers)
        to_beat = jnp.where(polish | (walk.chosen == 0), threshold, walk.best.residual_correlation)
        better = candidate.usable & (candidate.residual_correlation < to_beat) & (tried >= min_components)
        keep = lambda new, old: jnp.where(better, new, old)
        return _Walk(
            tried=jnp.maximum(walk.tried, tried),
            chains=chains,
            chosen=keep(tried, walk.chosen),
            best=jax.tree.map(keep, candidate, walk.best),
            best_chains=keep(chains, walk.best_chains),
            polished=polish,
            found=None if walk.found is None else walk.found.at[tried].set(candidate.directions),
        )

    none = jnp.zeros((num_chains, num, most), dtype)
    found = jnp.zeros((most + 1, num, most), dtype) if neighbors else None
    walk = _Walk(jnp.int32(0), none, jnp.int32(0), nothing, none, jnp.bool_(False), found)
    walk = jax.lax.while_loop(unfinished, step, walk)
    if walk.found is None:
        return walk.chosen, walk.best, None
    # The patience is at least this distance, so that both have been tried.
    beside = jnp.clip(walk.chosen + distance * jnp.array([-1, 1], jnp.int32), 0, centers.bound)
    return walk.chosen, walk.best, (walk.found[beside], beside)
