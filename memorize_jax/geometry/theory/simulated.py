"""Simulated capacity: how many manifolds a hyperplane really separates, without any mean-field theory.

P manifolds are projected to n random features and labeled at random, half of the manifolds positive. At the n where
half of these dichotomies are linearly separable the capacity is P / n.
"""

import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray
from scipy.linalg.lapack import dpstrf  # pyright: ignore[reportAttributeAccessIssue]  (made by f2py)

from memorize_jax.geometry.notebook import by_field
from memorize_jax.geometry.points import read_manifolds
from memorize_jax.geometry.qp import callback
from memorize_jax.geometry.theory.separability import separable_by_least_squares, separable_on_host
from memorize_jax.geometry.theory.splitting import separable_dichotomies
from memorize_jax.geometry.theory.threshold import fit_threshold
from memorize_jax.keys import check_key
from memorize_jax.threads import on_threads, one_thread
from memorize_jax.whole import check_whole

METHODS = ("host", "splitting", "least_squares")
# A trial ends after its first so many dichotomies if they agree: it is far from the threshold.
BATCH = 10
# The ends of the range decide between an estimate and a bound: so many times the dichotomies are tested there, if a fit
# is no farther from them than so many of its errors.
AT_ENDS, NEAR = 4, 4
# Trials beyond the refinements that the fit may ask for, and how far it looks to both sides, in log odds.
MORE_TRIALS, LOOK = 8, 0.7


class SimulatedCapacity(NamedTuple):
    """Result of the search for the critical number of features n*, not a whole number in general."""

    capacity: float  # P / n*, or the bound on it that `bound` speaks of
    standard_error: float  # of the capacity, from the finite number of dichotomies; NaN for a bound
    num_features: float  # n*
    # 0 for an estimate; -1 if the capacity is below the value given: even with as many features as the points have
    # dimensions, which no projection adds to, less than half separate; +1 if it is above it: a single feature separates
    # half or more
    bound: int
    tried: Int[np.ndarray, " trials"]  # numbers of features
    separable: Float[np.ndarray, " trials"]  # share of the dichotomies that were separable there
    # share of all dichotomies that were neither separated nor shown to be inseparable in the iterations allowed; they
    # count as inseparable
    undecided: float
    tested: Int[np.ndarray, " trials"]  # number of dichotomies, each with a projection of its own
    slope: float  # of the log odds that a dichotomy separates against log n, fitted at n*; NaN for a bound
    misfit: float  # deviance of the fit per degree of freedom, about 1 for a good one; NaN for a bound

    _repr_html_ = by_field


class _Trial(NamedTuple):
    num_features: int
    separable: int
    undecided: int
    tested: int


def _coordinates(points, mask) -> Float[np.ndarray, "P M rank"]:
    """The points about their mean, in as many coordinates as they have dimensions, which is cheaper, in float64."""
    present = np.asarray(mask) > 0
    rows = np.asarray(points, np.float64)[present]
    # A common shift is no information about classes; without a bias it would be a handicap.
    rows = rows / max(np.abs(rows).max(), np.finfo(float).tiny)
    rows = rows - rows.mean(axis=0)
    # Below it directions are what rounding of the points leaves, or of their inner products.
    rounding = max(100 * float(jnp.finfo(jnp.promote_types(points.dtype, jnp.float32)).eps), 1e-7)
    if rows.shape[1] > rows.shape[0]:
        gram = rows @ rows.T
        factor, order, rank, _ = dpstrf(gram, tol=rounding**2 * gram.diagonal().max(), lower=1)
        rows = np.tril(factor)[np.argsort(order), : max(rank, 1)]
    else:
        values, vectors = np.linalg.eigh(rows.T @ rows)
        kept = values > rounding**2 * values[-1]
        kept[-1] = True
        rows = rows @ vectors[:, kept]
    found = np.zeros((*present.shape, rows.shape[1]))
    found[present] = rows
    return found


def _draw_dichotomies(rng, num_manifolds, num, whole):
    """Balanced labelings [T, P] bool: `num` random ones, or if `whole` and they are no more, all there are."""
    half = num_manifolds // 2
    if whole and math.comb(num_manifolds, half) <= num * (2 - num_manifolds % 2):
        # Of an even number of manifolds, labels and their opposites separate together.
        every = [own for own in itertools.combinations(range(num_manifolds), half) if num_manifolds % 2 or 0 in own]
        return rng.permutation(np.array([np.isin(np.arange(num_manifolds), own) for own in every]))
    return rng.permuted(np.tile(np.arange(num_manifolds) < half, (num, 1)), axis=1)


def _separable(test, rows, projection, signs, bias):
    """What `test` says of points [n, N] with signs [n] in a projection [N, d]: (separable, undecided)."""
    rows = rows @ projection
    rows /= max(np.sqrt(np.mean(np.sum(rows**2, axis=1))), np.finfo(float).tiny)
    if bias:
        rows = np.hstack([rows, np.ones((len(rows), 1))])
    return test(rows, signs)


def _bucket(size):
    """The power of two from `size` on: a handful of compilations serve all searches."""
    return max(16, 1 << (size - 1).bit_length())


def _fit(trials):
    return fit_threshold(*([getattr(one, name) for one in trials] for name in ("num_features", "separable", "tested")))


def _search(trial, trials, rank, first, factor, num_refinements):
    """Brackets the threshold, then tries where the fit so far expects it; returns (fit, bound)."""
    low, high = 0, round(min(rank, max(2, first)))
    while trial(high) < 0.5:
        if high == rank:
            return None, -1
        low, high = high, min(math.ceil(factor * high), rank)
    while not low and high > 1:
        lower = max(1, math.floor(high / factor))
        low, high = (lower, high) if trial(lower) < 0.5 else (0, lower)
    if not low:
        return None, +1
    # A sharp threshold is seen by unanimous trials, which are short, rather than by full ones.
    fit, full = _fit(trials), 0
    for number in range(num_refinements + MORE_TRIALS if rank > 2 else 0):
        tried = {one.num_features for one in trials}
        if full >= num_refinements and min(tried) <= fit.num_features <= max(tried):
            break
        wanted = round(fit.num_features * (1 + LOOK * (-1) ** number / fit.slope))
        # Once is enough at the ends, where more dichotomies are tested.
        trial(int(np.clip(wanted, 1 + (1 in tried), rank - (rank in tried))))
        full += 0 < trials[-1].separable < trials[-1].tested
        fit = _fit(trials)
    fitted = len(trials)
    for end, side in ((rank, -1), (1, +1)):
        shares = [one.separable / one.tested for one in trials if one.num_features == end]
        if not shares and side * (fit.num_features - NEAR * side * fit.error - end) < 0:
            shares = [trial(end)]
        if shares and (shares[0] < 0.5) == (side < 0):
            return None, side
    return fit if len(trials) == fitted else _fit(trials), 0


def simulated_capacity(
    points: Any,
    *,
    key: PRNGKeyArray,
    num_dichotomies: int = 50,
    bias: bool = True,
    num_refinements: int = 4,
    max_checks: int = 25,
    expected: float | None = None,
    method: str | None = None,
) -> SimulatedCapacity:
    """Measures capacity by a search for the number of features at which half of random dichotomies separate.

    Never NaN for want of a bracket, an explicit bound instead.
    Every dichotomy has balanced labels and a Gaussian projection of its own, so that all outcomes are independent. When
    trials on both sides have met, a few more are made where a logistic fit through all of them expects the threshold,
    and again wherever the fit moves. Near the dimension of the points, and near a single feature, the end itself is
    tried, with more dichotomies or all there are: it decides between an estimate and a bound.

    Args:
      points: [P, M, N] array or list of [M_i, N]; P >= 2.
      num_dichotomies: tested per trial; a trial whose first 10 agree ends with them.
      bias: whether the hyperplane may miss the origin.
      num_refinements: trials near the threshold, after the first ones on both sides.
      max_checks: bounds the work per dichotomy of "splitting" to 20 max_checks iterations.
      expected: capacity near which the search begins; it only saves trials.
      method: "host", by an active-set method that numba compiles, one on each core; "splitting", in batches on the
        device; or "least_squares", one after the other on the host and exact. None for the first on a processor with
        numba, else for the second, and for the third where that leaves a dichotomy undecided. Outcomes do not depend on
        it otherwise.

    References:
      Stephenson et al. 2021, appendix A.1.2 and figure 1B; Cohen et al. 2020.
    """
    points, mask, _ = read_manifolds(points)
    check_key(key)
    check_whole("num_dichotomies", num_dichotomies, least=2)
    if method not in (None, *METHODS):
        raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
    if expected is not None and not 0 < expected < np.inf:
        raise ValueError(f"expected a positive expected capacity, got {expected}")
    if method == "host":
        callback.check_available()
    first_method = method or ("host" if jax.default_backend() == "cpu" and callback.is_available() else "splitting")
    coordinates, present = _coordinates(points, mask), np.asarray(mask) > 0
    mask = mask.astype(jnp.promote_types(mask.dtype, jnp.float32))
    num_manifolds, _, rank = coordinates.shape
    rows, owners = coordinates[present], np.nonzero(present)[0]
    batch_size, trials = min(BATCH, num_dichotomies), []

    @functools.cache
    def padded():
        return jnp.asarray(np.pad(coordinates, ((0, 0), (0, 0), (0, _bucket(rank) - rank))), mask.dtype)

    def separate(num_features, labels, rng):
        """(separable, undecided), both [T], of dichotomies [T, P]."""
        projections = rng.standard_normal((len(labels), rank, num_features), np.float32)
        found, undecided = np.zeros(len(labels), bool), np.ones(len(labels), bool)

        def decide(test, first, last):
            for i in range(first, last):
                signs = np.where(labels[i], 1.0, -1.0)[owners]
                found[i], undecided[i] = _separable(test, rows, projections[i], signs, bias)

        if first_method == "host":
            with one_thread():
                on_threads(functools.partial(decide, separable_on_host), len(labels))
        elif first_method == "splitting":
            shape = (batch_size, _bucket(rank), _bucket(num_features))
            pad = [(0, most - size) for most, size in zip(shape, projections.shape, strict=True)]
            batch = np.pad(projections, pad).astype(mask.dtype), np.pad(labels, (pad[0], (0, 0)))
            outcomes = separable_dichotomies(padded(), mask, *batch, bias=bias, max_checks=max_checks)
            found, undecided = (np.array(outcome)[: len(labels)] for outcome in outcomes)
        for i in np.flatnonzero(undecided) if method in (None, "least_squares") else ():
            decide(separable_by_least_squares, i, i + 1)
        return found, undecided

    def trial(num_features):
        seed = jax.random.key_data(jax.random.fold_in(key, len(trials)))
        rng = np.random.default_rng(np.asarray(seed).ravel())
        num = num_dichotomies * (AT_ENDS if num_features in (1, rank) else 1)
        labels = _draw_dichotomies(rng, num_manifolds, num, num_features == rank)
        counts = np.zeros(3, int)
        for start in range(0, len(labels), batch_size):
            batch = labels[start : start + batch_size]
            found, undecided = separate(num_features, batch, rng)
            counts += (found.sum(), undecided.sum(), len(batch))
            if counts[0] in (0, counts[2]):
                break
        trials.append(_Trial(num_features, *counts.tolist()))
        return counts[0] / counts[2]

    # Two points per manifold's dimension at most are needed as a rule; grow from P / 2 rather than start at N.
    first, factor = (num_manifolds // 2, 2) if expected is None else (num_manifolds / expected, 1.25)
    fit, bound = _search(trial, trials, rank, first, factor, num_refinements)
    tried, separable, undecided, tested = np.array(trials).T
    num_features, error, slope, misfit = fit or (float(rank if bound < 0 else 1), *[float("nan")] * 3)
    # Nothing is reported beyond what was tried.
    inside = float(np.clip(num_features, tried.min(), tried.max()))
    num_features, error = inside, error + abs(num_features - inside)
    return SimulatedCapacity(
        capacity=num_manifolds / num_features,
        standard_error=num_manifolds / num_features**2 * error,
        num_features=num_features,
        bound=bound,
        tried=tried,
        separable=separable / tested,
        undecided=float(undecided.sum() / tested.sum()),
        tested=tested,
        slope=slope,
        misfit=misfit,
    )
