"""Simulated capacity: how many manifolds a hyperplane really separates, without any mean-field theory.

P manifolds are projected to n random features and labelled at random, half of the manifolds positive. At the n where
half of these dichotomies are linearly separable the capacity is P / n.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import xlogy

from memorize_jax.geometry.eigen import symmetric_eigen
from memorize_jax.geometry.points import check_points, pad_manifolds
from memorize_jax.geometry.separability import separable_by_least_squares
from memorize_jax.keys import stream

# Relaxation of the splitting, and iterations between two looks at the certificates.
RELAXATION, STEPS_PER_CHECK = 1.7, 20
# Up to so many points the exact method on the host, without compilation, is the faster one.
FEW_POINTS = 500
METHODS = ("splitting", "least_squares")


class SimulatedCapacity(NamedTuple):
    """Result of the search for the critical number of features.

    Attributes:
      capacity: P / n*, or the bound on it that `bound` speaks of.
      standard_error: of the capacity, from the finite number of dichotomies; NaN for a bound.
      num_features: n*, not a whole number in general.
      bound: 0 for an estimate; -1 if the capacity is below the value given (even all N features separate less than
        half); +1 if it is above it (a single feature separates more than half).
      tried: [trials], numbers of features that were tried.
      separable: [trials], share of the dichotomies that were separable there.
      undecided: share of all dichotomies that were neither separated nor shown to be inseparable in the iterations
        allowed; they count as inseparable.
    """

    capacity: float
    standard_error: float
    num_features: float
    bound: int
    tried: np.ndarray
    separable: np.ndarray
    undecided: float


@functools.partial(jax.jit, static_argnames=("max_features", "num_dichotomies", "bias", "max_checks"))
@jax.default_matmul_precision("highest")
def separable_dichotomies(points, mask, num_features, key, *, max_features, num_dichotomies, bias, max_checks):
    """Tests random dichotomies of randomly projected manifolds, all as one batch.

    Douglas-Rachford splitting between the range of X (the outputs a hyperplane can give) and the outputs with a margin
    of 1. Labels change signs only, so all dichotomies share one factorisation.

    Args:
      points: [P, M, N], masked points zero.
      mask: [P, M].
      num_features: n <= max_features, may be traced.
      key: PRNG key of the projection and the labels.
      max_features: static bound on n; n features are used, the others are zero.
      num_dichotomies: T.
      bias: whether the hyperplane may miss the origin.
      max_checks: most blocks of iterations.

    Returns:
      (separable [T] bool: a hyperplane was found; undecided [T] bool: neither was one found nor shown not to exist).
    """
    num_manifolds, num_examples, num_inputs = points.shape
    projection = jax.random.normal(stream(key, "projection"), (num_inputs, max_features), points.dtype)
    used = (jnp.arange(max_features) < num_features).astype(points.dtype)
    rows = points.reshape(-1, num_inputs) @ projection * used
    present = mask.reshape(-1)
    rows = rows / jnp.maximum(jnp.sqrt(jnp.sum(rows**2) / jnp.maximum(jnp.sum(present), 1)), 1e-30)
    if bias:
        rows = jnp.concatenate([rows, jnp.ones_like(rows[:, :1])], axis=1)
    rows = rows * present[:, None]
    # Half of the manifolds are positive in every dichotomy.
    half = jnp.arange(num_manifolds) < num_manifolds // 2
    labels = jax.vmap(lambda k: jax.random.permutation(k, half))(
        jax.random.split(stream(key, "dichotomies"), num_dichotomies)
    )
    signs = jnp.repeat(jnp.where(labels, 1, -1), num_examples, axis=1).astype(points.dtype)
    gram = rows.T @ rows
    ridge = 1e-6 * jnp.trace(gram) / gram.shape[0]
    values, vectors = symmetric_eigen(gram)
    inverse = (vectors / (jnp.maximum(values, 0) + ridge)) @ vectors.T

    def outputs(target):
        """Nearest signed outputs a hyperplane can give, for each dichotomy, and the hyperplane."""
        plane = (signs * target) @ rows @ inverse
        return signs * (plane @ rows.T)

    absent = present == 0

    def step(_, state):
        inside = jnp.where(absent, 0, jnp.maximum(state, 1))
        reached = outputs(2 * inside - state)
        return state + RELAXATION * (reached - inside)

    def look(state):
        inside = jnp.where(absent, 0, jnp.maximum(state, 1))
        reached = outputs(2 * inside - state)
        found = jnp.min(jnp.where(absent, jnp.inf, reached), axis=1) > 1e-4
        # weights >= 0 with X' (y weights) = 0 prove that no hyperplane exists.
        weights = inside - state
        weights = jnp.where(absent, 0, jnp.maximum(weights, 0))
        leak = jnp.linalg.norm((signs * weights) @ rows, axis=1)
        mass = jnp.sum(weights, axis=1)
        refuted = (leak < 1e-3 * mass) & (mass > 0)
        return found, refuted & ~found

    def unfinished(carry):
        _, found, refuted, checks = carry
        return (checks < max_checks) & ~jnp.all(found | refuted)

    def advance(carry):
        state, found, refuted, checks = carry
        state = jax.lax.fori_loop(0, STEPS_PER_CHECK, step, state)
        now_found, now_refuted = look(state)
        # A hyperplane is a proof whenever it turns up; a refutation is a tolerance, and yields to it.
        found = found | now_found
        return state, found, (refuted | now_refuted) & ~found, checks + 1

    nothing = jnp.zeros(num_dichotomies, bool)
    start = (jnp.where(absent, 0, jnp.ones_like(signs)), nothing, nothing, jnp.int32(0))
    _, found, refuted, _ = jax.lax.while_loop(unfinished, advance, start)
    return found, ~(found | refuted)


def _separable_on_host(points, mask, num_features, key, num_dichotomies, bias):
    """What `separable_dichotomies` tells, of another random projection and other labels."""
    points, mask = np.asarray(points, np.float64), np.asarray(mask)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    rows = points[mask > 0] @ rng.standard_normal((points.shape[-1], num_features))
    rows /= max(np.sqrt(np.mean(np.sum(rows**2, axis=1))), np.finfo(float).tiny)
    if bias:
        rows = np.hstack([rows, np.ones((len(rows), 1))])
    manifold = np.nonzero(mask)[0]
    positive = np.arange(len(points)) < len(points) // 2
    signs = [np.where(rng.permutation(positive), 1.0, -1.0)[manifold] for _ in range(num_dichotomies)]
    return np.array([separable_by_least_squares(rows, own) for own in signs]).T


def _fit_threshold(tried, separable, num_dichotomies):
    """Logistic fit of the share of separable dichotomies against n: the n of one half and its standard error.

    The dichotomies of a trial share a projection, so trials scatter more than coins do: the error is that of coins
    times the root of the deviance per degree of freedom, where that is above 1.
    """
    x = np.asarray(tried, float)
    center, spread = x.mean(), max(x.std(), 1e-9)
    design = np.stack([np.ones_like(x), (x - center) / spread], axis=1)
    # Half a success and half a failure more in each trial keep the slope finite when all trials are unanimous.
    successes, totals = np.asarray(separable) * num_dichotomies + 0.5, num_dichotomies + 1.0
    beta = np.zeros(2)
    for _ in range(100):
        share = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        information = (design * (totals * share * (1 - share))[:, None]).T @ design + 1e-9 * np.eye(2)
        change = np.linalg.solve(information, design.T @ (successes - totals * share))
        beta = beta + change * min(1, 2 / max(np.abs(change).max(), 1e-12))
        if np.abs(change).max() < 1e-8:
            break
    middle = -beta[0] / beta[1]
    gradient = np.array([-1 / beta[1], beta[0] / beta[1] ** 2])
    counts, misses = np.asarray(separable) * num_dichotomies, (1 - np.asarray(separable)) * num_dichotomies
    found, missed = num_dichotomies * share, num_dichotomies * (1 - share)
    deviance = 2 * np.sum(xlogy(counts, counts / found) + xlogy(misses, misses / missed))
    scatter = deviance / max(len(x) - 2, 1)
    error = np.sqrt(max(scatter, 1) * gradient @ np.linalg.inv(information) @ gradient)
    return center + spread * middle, spread * error


def simulated_capacity(
    points,
    *,
    key: jax.Array,
    num_dichotomies: int = 50,
    bias: bool = True,
    num_refinements: int = 4,
    max_checks: int = 100,
    expected: float | None = None,
    method: str | None = None,
) -> SimulatedCapacity:
    """Measures capacity by bisection on the number of features until half of random dichotomies separate.

    Each trial draws a new Gaussian projection and new balanced labels. After the bisection has met, a few trials around
    the meeting point sharpen it, and a logistic fit through all trials gives n* and its error.

    Args:
      points: [P, M, N] array or list of [M_i, N]; P >= 2.
      key: PRNG key.
      num_dichotomies: tested per trial.
      bias: whether the hyperplane may miss the origin.
      num_refinements: trials after the bisection.
      max_checks: bounds the work per trial of "splitting" to 20 max_checks iterations.
      expected: capacity near which the search begins; it only saves trials.
      method: "splitting", all dichotomies as one batch on the device, or "least_squares", one after the other on the
        host and exact; None for the latter up to `FEW_POINTS` points.

    Returns:
      SimulatedCapacity; never NaN for want of a bracket, an explicit bound instead.

    Raises:
      ValueError: wrong shapes, NaN or infinite points, fewer than 2 dichotomies, an unknown method, or an
        expected capacity that is not positive.

    References:
      Stephenson et al. 2021, appendix A.1.2 and figure 1B; Cohen et al. 2020.
    """
    points, mask = pad_manifolds(points)
    check_points(points)
    if num_dichotomies < 2:
        raise ValueError(f"expected num_dichotomies >= 2, got {num_dichotomies}")
    if method not in (None, *METHODS):
        raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
    if expected is not None and not 0 < expected < np.inf:
        raise ValueError(f"expected a positive expected capacity, got {expected}")
    num_manifolds, _, num_inputs = points.shape
    count = jnp.sum(mask)
    method = method or ("least_squares" if count <= FEW_POINTS else "splitting")
    # A common shift is no information about classes; without a bias it would be a handicap.
    points = (points - jnp.sum(points, axis=(0, 1)) / count) * mask[..., None]
    points = points / jnp.maximum(jnp.max(jnp.abs(points)), jnp.finfo(points.dtype).tiny)
    tried, shares, undecided = [], [], []

    def trial(num_features):
        own_key = jax.random.fold_in(key, len(tried))
        if method == "least_squares":
            found, open_ones = _separable_on_host(points, mask, num_features, own_key, num_dichotomies, bias)
        else:
            found, open_ones = split(num_features, own_key)
        tried.append(num_features)
        shares.append(float(np.mean(found)))
        undecided.append(float(np.mean(open_ones)))
        return shares[-1]

    def split(num_features, own_key):
        # A power of two as static bound: a handful of compilations serve the whole search.
        bound = min(1 << max(num_features - 1, 1).bit_length(), max(num_inputs, 2))
        return separable_dichotomies(
            points,
            mask,
            jnp.int32(num_features),
            own_key,
            max_features=bound,
            num_dichotomies=num_dichotomies,
            bias=bias,
            max_checks=max_checks,
        )

    def result(num_features, bound, error=float("nan")):
        return SimulatedCapacity(
            capacity=num_manifolds / num_features,
            standard_error=error,
            num_features=float(num_features),
            bound=bound,
            tried=np.array(tried),
            separable=np.array(shares),
            undecided=float(np.mean(undecided)),
        )

    # Two points per manifold's dimension at most are needed as a rule; grow from P / 2 rather than start at N.
    factor = 2 if expected is None else 1.2
    low, high = 0, min(num_inputs, max(2, num_manifolds // 2 if expected is None else round(num_manifolds / expected)))
    while trial(high) < 0.5:
        if high == num_inputs:
            return result(num_inputs, -1)
        low, high = high, min(math.ceil(factor * high), num_inputs)
    while not low and high > 1:
        middle = max(1, math.floor(high / factor)) if expected is not None else 1
        if trial(middle) < 0.5:
            low = middle
        else:
            high = middle
    if not low:
        return result(1, +1)
    # Near the place that was expected, trials all over the transition tell as much as bisection to the end.
    width = 0.02 if expected is None else 0.06
    while high - low > max(1, width * high):
        middle = (low + high) // 2
        low, high = (low, middle) if trial(middle) >= 0.5 else (middle, high)
    meeting = (low + high) / 2
    for offset in np.linspace(-1, 1, num_refinements):
        trial(int(np.clip(round(meeting * (1 + 0.06 * offset)), 1, num_inputs)))
    num_features, error = _fit_threshold(tried, shares, num_dichotomies)
    if not tried or not min(tried) <= num_features <= max(tried):
        num_features, error = meeting, max(error, (high - low) / 2)
    return result(num_features, 0, num_manifolds / num_features**2 * error)
