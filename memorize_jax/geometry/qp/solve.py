"""The non-negative quadratic program by a choice of methods.

With `admm` the owner of jaxopt, which solves these programs because the project's user asked for it.
"""

import functools
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

with warnings.catch_warnings():
    # jaxopt announces at import that it is no longer developed; we know, hence this single owner.
    warnings.simplefilter("ignore", DeprecationWarning)
    import jaxopt

    from memorize_jax.geometry.qp.active_set import solve_active_set
    from memorize_jax.geometry.qp.admm import solve_batch


class QPSolution(NamedTuple):
    """Solutions of a batch of programs that share one Gram matrix."""

    multipliers: Float[Array, "n M"]  # the minimizers, >= 0
    residual: Float[Array, " n"]  # KKT residual as a distance (see `kkt_residual`)


def kkt_residual(
    gram: Float[Array, "M M"], linear: Float[Array, "*n M"], multipliers: Float[Array, "*n M"]
) -> Float[Array, "*n"]:
    """Measures how far `multipliers` are from optimal, as a distance in feature space.

        residual = max_i |min(K_ii a_i, (K a - b)_i)| / sqrt(K_ii)

    The second entry is the slack of constraint i, so the residual is the largest distance by which a
    half-space is violated, or by which a half-space that carries weight is not touched.
    """
    diagonal = jnp.diagonal(gram)
    slack = multipliers @ gram - linear
    gap = jnp.abs(jnp.minimum(multipliers * diagonal, slack))
    return jnp.max(gap / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1)), axis=-1)


def _box_coordinate_descent(gram, linear, tol, maxiter):
    solver = jaxopt.BoxCDQP(maxiter=maxiter, tol=tol)

    def one(b):
        bounds = (jnp.zeros_like(b), jnp.full_like(b, jnp.inf))
        return solver.run(jnp.zeros_like(b), params_obj=(gram, -b), params_ineq=bounds).params

    return jax.vmap(one)(linear)


def _active_set_then_admm(gram, linear, tol, maxiter):
    return solve_batch(gram, linear, tol, maxiter, start=solve_active_set(gram, linear, tol))


# name -> (solve, default most iterations). BoxCDQP counts sweeps, the others ADMM updates of 25 matrix products.
SOLVERS = {
    "active_set": (_active_set_then_admm, 400),
    "admm": (solve_batch, 400),
    "box_cdqp": (_box_coordinate_descent, 4000),
}


def check_solver(solver: str) -> None:
    """ValueError for a name that is not in `SOLVERS`."""
    if solver not in SOLVERS:
        raise ValueError(f"expected solver to be one of {', '.join(sorted(SOLVERS))}, got {solver!r}")


@functools.partial(jax.jit, static_argnames=("solver", "tol", "maxiter"))
@jax.default_matmul_precision("highest")
def nonnegative_qp(
    gram: Float[Array, "M M"],
    linear: Float[Array, "n M"],
    *,
    solver: str = "active_set",
    tol: float | None = None,
    maxiter: int | None = None,
) -> QPSolution:
    """Solves a batch of non-negative quadratic programs that share their quadratic part.

        min_{a >= 0}  1/2 a' K a - a' b

    Each program is scaled to a unit diagonal and a unit right-hand side first, so that `tol` means the same
    whatever the units of the data; `GeometryOptions` documents it. A zero row of K marks an absent point, whose
    multiplier is 0. Convergence is not assumed: read `residual`.
    """
    if tol is None:
        tol = 1e-10 if gram.dtype == jnp.float64 else 2e-6
    diagonal = jnp.diagonal(gram)
    present = diagonal > 0
    root = jnp.sqrt(jnp.where(present, diagonal, 1))
    scaled_gram = jnp.where(jnp.eye(gram.shape[0], dtype=bool), 1, gram / (root[:, None] * root[None, :]))
    scaled_linear = jnp.where(present, linear / root, -1)
    size = jnp.max(jnp.abs(scaled_linear), axis=-1, keepdims=True)
    size = jnp.where(size > 0, size, 1)
    solve, default_maxiter = SOLVERS[solver]
    scaled = solve(scaled_gram, scaled_linear / size, tol, default_maxiter if maxiter is None else maxiter)
    multipliers = scaled * size / root
    multipliers = jnp.where(present, multipliers, 0)
    return QPSolution(multipliers, kkt_residual(gram, jnp.where(present, linear, 0), multipliers))
