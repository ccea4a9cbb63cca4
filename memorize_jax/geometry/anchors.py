"""Anchor points of one manifold, and the capacity, radius and dimension that follow from their statistics."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from memorize_jax.geometry.solvers import QPSolution, nonnegative_qp


class Anchors(NamedTuple):
    """Solutions of one manifold's programs, one for each Gaussian draw.

    Attributes:
      v: [n, D+1], the point nearest to the draw that satisfies every constraint.
      anchors: [n, D+1], the manifold point that stands for the whole manifold in this draw.
      multipliers: [n, M], weight of each example; zero for a draw that violates no constraint.
      kkt_residual: [n], distance by which optimality is missed.
    """

    v: jax.Array
    anchors: jax.Array
    multipliers: jax.Array
    kkt_residual: jax.Array


class SolverOptions(NamedTuple):
    """Static options of `solvers.nonnegative_qp`, hashable."""

    solver: str = "active_set"
    tol: float | None = None
    maxiter: int | None = None


class AnchorStatistics(NamedTuple):
    """Geometry of one manifold from its anchors.

    Attributes:
      capacity: scalar, mean-field capacity.
      capacity_standard_error: scalar, sampling error of the capacity from the finite number of draws.
      radius: scalar, in units of the distance from the origin to the manifold's centre.
      dimension: scalar.
      mean_kkt_residual: scalar, over the draws.
      kkt_residual: scalar, the largest over the draws.
      active_fraction: scalar, share of the draws that violate a constraint.
    """

    capacity: jax.Array
    capacity_standard_error: jax.Array
    radius: jax.Array
    dimension: jax.Array
    mean_kkt_residual: jax.Array
    kkt_residual: jax.Array
    active_fraction: jax.Array


def _check_frame(frame, draws):
    if frame.ndim != 2 or draws.ndim != 2 or frame.shape[1] != draws.shape[1]:
        raise ValueError(
            f"expected frame [M, D+1] and draws [n, D+1] with the same D, got {frame.shape} and {draws.shape}"
        )


@functools.partial(jax.jit, static_argnames=("solver", "tol", "maxiter"))
@jax.default_matmul_precision("highest")
def solve_anchors(
    frame: jax.Array,
    draws: jax.Array,
    *,
    kappa: float = 0.0,
    solver: str = "active_set",
    tol: float | None = None,
    maxiter: int | None = None,
) -> Anchors:
    """Projects every draw onto the cone of solutions of one manifold and finds its anchor point.

        v(t) = argmin_v 1/2 ||v - t||^2   subject to   S_i . v <= -kappa for every example i
        dual: min_{a >= 0} 1/2 a' K a - a' (S t + kappa),  K = S S',  v = t - S' a,  anchor = S' a / sum(a)

    The sign is that of the published tool (the paper's with t replaced by -t; a Gaussian does not notice).
    A draw that already satisfies every constraint has v = t; its anchor is the example with the largest S_i . t.

    Args:
      frame: [M, D+1] floating, the examples in the manifold's own coordinates, in units of the distance to the
        centre; the last coordinate is 1. A row of zeros marks an absent example.
      draws: [n, D+1], standard normal vectors (t, t0).
      kappa: margin >= 0.
      solver: see `solvers.nonnegative_qp`.
      tol: see there.
      maxiter: see there.

    Raises:
      ValueError: shapes that do not match.

    References:
      Stephenson et al. 2021, appendix A.1.1; Chung, Lee & Sompolinsky 2018, eqs. 16-17.
    """
    frame, draws = jnp.asarray(frame), jnp.asarray(draws)
    _check_frame(frame, draws)
    options = SolverOptions(solver=solver, tol=tol, maxiter=maxiter)
    _, solution = squared_distance(frame @ frame.T, draws @ frame.T + kappa, options)
    return _anchors_of(frame, draws, kappa, jax.lax.stop_gradient(solution))


def _anchors_of(frame, draws, kappa, solution):
    present = jnp.any(frame != 0, axis=1)
    projections = draws @ frame.T + kappa
    multipliers = solution.multipliers
    mass = jnp.sum(multipliers, axis=1, keepdims=True)
    nearest = jax.nn.one_hot(
        jnp.argmax(jnp.where(present, projections, -jnp.inf), axis=1), frame.shape[0], dtype=frame.dtype
    )
    weights = jnp.where(mass > 0, multipliers / jnp.where(mass > 0, mass, 1), nearest)
    # argmax hides NaN: spread it, so that bad data never look like an interior draw.
    weights = jnp.where(jnp.isfinite(mass), weights, jnp.nan)
    return Anchors(draws - multipliers @ frame, weights @ frame, multipliers, solution.residual)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def squared_distance(gram: jax.Array, linear: jax.Array, options: SolverOptions) -> tuple[jax.Array, QPSolution]:
    """Squared distance of every draw to the cone of solutions, with an exact and cheap gradient.

        ||v - t||^2 = max_{a >= 0}  2 a' b - a' K a,   K = S S',  b = S t + kappa
        gradient (envelope theorem): 2 a with respect to b, -a a' with respect to K

    Args:
      gram: [M, M], K.
      linear: [n, M], b.
      options: of the solver.

    Returns:
      (distances [n], the QPSolution they come from, which carries no gradient).
    """
    return _distance_forward(gram, linear, options)[0]


def _distance_forward(gram, linear, options):
    solution = nonnegative_qp(gram, linear, **options._asdict())
    multipliers = solution.multipliers
    distance = jnp.sum(multipliers * (2 * linear - multipliers @ gram), axis=-1)
    return (distance, solution), multipliers


def _distance_backward(options, multipliers, cotangents):
    del options
    weighted = multipliers * cotangents[0][:, None]
    return -weighted.T @ multipliers, 2 * weighted


squared_distance.defvjp(_distance_forward, _distance_backward)


@functools.partial(jax.jit, static_argnames=("solver", "tol", "maxiter"))
@jax.default_matmul_precision("highest")
def anchor_statistics(
    frame: jax.Array,
    draws: jax.Array,
    *,
    kappa: float = 0.0,
    num_directions: jax.Array | int | None = None,
    direction_norm: jax.Array | None = None,
    solver: str = "active_set",
    tol: float | None = None,
    maxiter: int | None = None,
) -> AnchorStatistics:
    """Computes capacity, radius and dimension of one manifold with the evidence for them.

        1/capacity = < [t . s + kappa]_+^2 / ||s||^2 >          (paper A.1.1; equals <||v - t||^2>)
        radius^2   = < ||s_D - <s_D>||^2 >                       (paper A.1.2)
        dimension  = D < t_D . s_D / (||t_D|| ||s_D||) >^2       (paper A.1.2)

    with s the anchor, s_D its first D coordinates (the last is 1).

    Args:
      frame: [M, D+1], see `solve_anchors`.
      draws: [n, D+1].
      kappa: margin >= 0.
      num_directions: number of directions the draws really span, if fewer than D.
      direction_norm: [n], norm of t_D within these directions, if not that of all D coordinates.
      solver: see `solvers.nonnegative_qp`.
      tol: see there.
      maxiter: see there.
    """
    options = SolverOptions(solver=solver, tol=tol, maxiter=maxiter)
    distance, solution = squared_distance(frame @ frame.T, draws @ frame.T + kappa, options)
    # Only the capacity carries a gradient: the anchors' own would need the solver's.
    frame, draws, fixed_kappa, solution = jax.lax.stop_gradient((frame, draws, kappa, solution))
    found = _anchors_of(frame, draws, fixed_kappa, solution)
    num_draws = draws.shape[0]
    capacity = 1 / jnp.mean(distance)
    spread = jnp.std(distance, ddof=1) if num_draws > 1 else jnp.nan
    points = found.anchors[:, :-1] / found.anchors[:, -1:]
    radius = jnp.sqrt(jnp.mean(jnp.sum((points - jnp.mean(points, axis=0)) ** 2, axis=1)))
    directions = draws[:, :-1]
    if direction_norm is None:
        direction_norm = jnp.linalg.norm(directions, axis=1)
    if num_directions is None:
        num_directions = directions.shape[1]
    norms = direction_norm * jnp.linalg.norm(points, axis=1)
    # An anchor at the centre itself has no direction: it adds nothing to the overlap.
    cosine = jnp.where(norms == 0, 0, jnp.sum(directions * points, axis=1) / jnp.where(norms == 0, 1, norms))
    return AnchorStatistics(
        capacity=capacity,
        capacity_standard_error=jax.lax.stop_gradient(capacity**2 * spread / num_draws**0.5),
        radius=radius,
        dimension=num_directions * jnp.mean(cosine) ** 2,
        mean_kkt_residual=jnp.mean(found.kkt_residual),
        kkt_residual=jnp.max(found.kkt_residual),
        active_fraction=jnp.mean((jnp.sum(found.multipliers, axis=1) > 0).astype(frame.dtype)),
    )


def capacity_radius_dimension(
    frame: jax.Array, draws: jax.Array, *, kappa: float = 0.0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Computes capacity, radius and dimension of one manifold given in its own frame.

    Args:
      frame: [M, D+1] floating, last coordinate 1, see `solve_anchors`.
      draws: [n, D+1], standard normal.
      kappa: margin >= 0.

    Returns:
      (capacity, radius, dimension), three scalars; see `anchor_statistics` for the formulas.
    """
    statistics = anchor_statistics(jnp.asarray(frame), jnp.asarray(draws), kappa=kappa)
    return statistics.capacity, statistics.radius, statistics.dimension
