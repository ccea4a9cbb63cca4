"""Anchor points of one manifold, and the capacity, radius and dimension that follow from their statistics."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from memorize_jax.geometry.notebook import by_field
from memorize_jax.geometry.options import ANCHORS, VARIANTS, GeometryOptions, read_options
from memorize_jax.geometry.qp.solve import QPSolution, nonnegative_qp


class Anchors(NamedTuple):
    """Solutions of one manifold's programs, one for each Gaussian draw."""

    v: Float[Array, "n D+1"]  # the point nearest to the draw that satisfies every constraint
    anchors: Float[Array, "n D+1"]  # the manifold point that stands for the whole manifold in this draw
    multipliers: Float[Array, "n M"]  # weight of each example; zero for a draw that violates no constraint
    kkt_residual: Float[Array, " n"]  # distance by which optimality is missed

    _repr_html_ = by_field


class AnchorStatistics(NamedTuple):
    """Geometry of one manifold from its anchors."""

    capacity: Float[Array, ""]  # mean-field capacity
    capacity_standard_error: Float[Array, ""]  # from the finite number of draws
    radius: Float[Array, ""]  # in units of the distance from the origin to the manifold's center
    dimension: Float[Array, ""]  # effective dimension
    mean_kkt_residual: Float[Array, ""]  # over the draws
    kkt_residual: Float[Array, ""]  # the largest over the draws
    active_fraction: Float[Array, ""]  # share of the draws that violate a constraint

    _repr_html_ = by_field


# An underscore in front of a dimension leaves its check to the function itself.
Frame = Float[Array | np.ndarray, "M _coordinates"]
FrameDraws = Float[Array | np.ndarray, "n _coordinates"]


def _split(options, fields):
    """(margin, the static rest) of the options of anchors."""
    chosen = read_options(options, fields, ANCHORS)
    return chosen.kappa, GeometryOptions(solver=chosen.solver, tol=chosen.tol, maxiter=chosen.maxiter)


def solve_anchors(frame: Frame, draws: FrameDraws, *, options: GeometryOptions | None = None, **fields: Any) -> Anchors:
    """Projects every draw onto the cone of solutions of one manifold and finds its anchor point.

        v(t) = argmin_v 1/2 ||v - t||^2   subject to   S_i . v <= -kappa for every example i
        dual: min_{a >= 0} 1/2 a' K a - a' (S t + kappa),  K = S S',  v = t - S' a,  anchor = S' a / sum(a)

    The sign is that of the published tool, with which the paper's A.1.1 comes out as printed; Chung et al. have -t.
    A draw that already satisfies every constraint has v = t; its anchor is the example with the largest S_i . t.

    Args:
      frame: S, the examples in the manifold's own coordinates, in units of the distance to the center; the last
        coordinate is 1. A row of zeros marks an absent example.
      draws: standard normal vectors (t, t0).
      options: see `GeometryOptions`; kappa, solver, tol and maxiter can be given as keywords.

    Raises:
      ValueError: arrays that do not fit each other, or options that are none.

    References:
      Stephenson et al. 2021, appendix A.1.1; Chung, Lee & Sompolinsky 2018, eqs. 16-17.
    """
    frame, draws = _floating(frame, draws)
    kappa, static = _split(options, fields)
    return _solve_anchors(frame, draws, kappa, options=static)


@functools.partial(jax.jit, static_argnames="options")
@jax.default_matmul_precision("highest")
def _solve_anchors(frame, draws, kappa, *, options):
    kappa = _margin(kappa)
    # custom_vjp hides what a function returns.
    _, solution = squared_distance(frame @ frame.T, draws @ frame.T + kappa, options)  # pyright: ignore[reportGeneralTypeIssues]
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
def squared_distance(
    gram: Float[Array, "M M"], linear: Float[Array, "n M"], options: GeometryOptions
) -> tuple[Float[Array, " n"], QPSolution]:
    """Squared distance of every draw to the cone of solutions, with an exact and cheap gradient.

        ||v - t||^2 = max_{a >= 0}  2 a' b - a' K a,   K = S S',  b = S t + kappa
        gradient (envelope theorem): 2 a with respect to b, -a a' with respect to K

    The solution that the distances come from carries no gradient.
    """
    return _distance_forward(gram, linear, options)[0]


# jax traces a rule of differentiation where it differentiates, outside the context of its caller.
@jax.default_matmul_precision("highest")
def _distance_forward(gram, linear, options):
    how = {"solver": options.solver, "tol": options.tol, "maxiter": options.maxiter}
    solution = nonnegative_qp(gram, linear, **how, alike=VARIANTS if options.vary_components else 1)
    multipliers = solution.multipliers
    distance = jnp.sum(multipliers * (2 * linear - multipliers @ gram), axis=-1)
    return (distance, solution), multipliers


@jax.default_matmul_precision("highest")
def _distance_backward(options, multipliers, cotangents):
    del options
    weighted = multipliers * cotangents[0][:, None]
    return -weighted.T @ multipliers, 2 * weighted


squared_distance.defvjp(_distance_forward, _distance_backward)


def anchor_statistics(
    frame: Frame, draws: FrameDraws, *, options: GeometryOptions | None = None, **fields: Any
) -> AnchorStatistics:
    """Computes capacity, radius and dimension of one manifold with the evidence for them.

        1/capacity = < [t . s + kappa]_+^2 / ||s||^2 >          (paper A.1.1; equals <||v - t||^2>)
        radius^2   = < ||s_D - <s_D>||^2 >                       (published tool)
        dimension  = D < t_D . s_D / (||t_D|| ||s_D||) >^2       (published tool)

    with s the anchor, s_D its first D coordinates (the last is 1). The paper's A.1.2 has radius^2 = < ||s_D||^2 > and
    dimension = < (t . s / ||s||)^2 > instead. Arguments and errors of `solve_anchors`.
    """
    kappa, static = _split(options, fields)
    return statistics_of_anchors(*_floating(frame, draws), kappa=kappa, options=static)


def _margin(kappa):
    """NaN for what is no margin, so that nothing plausible comes of it."""
    return jnp.where(jnp.asarray(kappa) >= 0, kappa, jnp.nan)


def _floating(frame, draws):
    # Programs are solved in float32 or float64; half precision and integers become float32.
    dtype = jnp.result_type(frame, draws, jnp.float32)
    frame, draws = jnp.asarray(frame, dtype), jnp.asarray(draws, dtype)
    if frame.ndim != 2 or draws.ndim != 2 or frame.shape[1] != draws.shape[1]:
        found = f"{frame.shape} and {draws.shape}"
        raise ValueError(f"expected frame [M, D+1] and draws [n, D+1] with the same D, got {found}")
    return frame, draws


@functools.partial(jax.jit, static_argnames="options")
@jax.default_matmul_precision("highest")
def statistics_of_anchors(
    frame: Float[Array, "M coordinates"],
    draws: Float[Array, "n coordinates"],
    *,
    kappa: ArrayLike,
    options: GeometryOptions,
    num_directions: ArrayLike | None = None,
    direction_norm: Float[Array, " n"] | None = None,
) -> AnchorStatistics:
    """`anchor_statistics` of draws that may span fewer directions than the frame has coordinates.

    Args:
      num_directions: that the draws really span, if fewer than D.
      direction_norm: norm of t_D within these directions, if not that of all D coordinates.
    """
    kappa = _margin(kappa)
    # custom_vjp hides what a function returns.
    distance, solution = squared_distance(frame @ frame.T, draws @ frame.T + kappa, options)  # pyright: ignore[reportGeneralTypeIssues]
    # Only the capacity carries a gradient: the anchors' own would need the solver's.
    frame, draws, fixed_kappa, solution = jax.lax.stop_gradient((frame, draws, kappa, solution))
    found = _anchors_of(frame, draws, fixed_kappa, solution)
    mass = jnp.sum(found.multipliers, axis=1)
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
    # An anchor at the center itself has no direction: it adds nothing to the overlap.
    cosine = jnp.where(norms == 0, 0, jnp.sum(directions * points, axis=1) / jnp.where(norms == 0, 1, norms))
    return AnchorStatistics(
        capacity=capacity,
        capacity_standard_error=jax.lax.stop_gradient(capacity**2 * spread / num_draws**0.5),
        radius=radius,
        dimension=jnp.asarray(num_directions * jnp.mean(cosine) ** 2),
        mean_kkt_residual=jnp.mean(found.kkt_residual),
        kkt_residual=jnp.max(found.kkt_residual),
        active_fraction=jnp.mean(jnp.where(jnp.isnan(mass), jnp.nan, mass > 0)),
    )


def capacity_radius_dimension(
    frame: Frame, draws: FrameDraws, *, options: GeometryOptions | None = None, **fields: Any
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Three numbers of `anchor_statistics`."""
    statistics = anchor_statistics(frame, draws, options=options, **fields)
    return statistics.capacity, statistics.radius, statistics.dimension
