"""The non-negative quadratic program by a choice of methods.

With `admm` the owner of jaxopt, which solves these programs because the project's user asked for it.
"""

import functools
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memorize_jax.geometry.qp import callback
from memorize_jax.geometry.qp.active_set import solve_active_set


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


@functools.cache
def _jaxopt() -> Any:
    """Loaded when a program is made with it, and not for a command that only reads tables: it takes half a second."""
    with warnings.catch_warnings():
        # It announces at import that it is no longer developed; we know, hence this single owner.
        warnings.simplefilter("ignore", DeprecationWarning)
        import jaxopt
    return jaxopt


def _box_coordinate_descent(gram, linear, tol, maxiter):
    solver = _jaxopt().BoxCDQP(maxiter=maxiter, tol=tol)

    def one(b):
        bounds = (jnp.zeros_like(b), jnp.full_like(b, jnp.inf))
        return solver.run(jnp.zeros_like(b), params_obj=(gram, -b), params_ineq=bounds).params

    return jax.vmap(one)(linear)


def _admm(gram, linear, tol, maxiter, start=None):
    _jaxopt()
    from memorize_jax.geometry.qp.admm import solve_batch

    return solve_batch(gram, linear, tol, maxiter, start=start)


def _active_set_then_admm(gram, linear, tol, maxiter):
    return _admm(gram, linear, tol, maxiter, start=solve_active_set(gram, linear, tol))


# name -> (solve, default most iterations). BoxCDQP counts sweeps, the others ADMM updates of 25 matrix products.
ON_DEVICE = {
    "active_set": (_active_set_then_admm, 400),
    "admm": (_admm, 400),
    "box_cdqp": (_box_coordinate_descent, 4000),
}
SOLVERS = (*ON_DEVICE, "host")
# Where to end by default: of `SOLVERS` on the device, and on the host, where exactness costs little.
TOLERANCES = {jnp.dtype("float32"): 2e-6, jnp.dtype("float64"): 1e-10}
ON_HOST_TOLERANCES = {jnp.dtype("float32"): 1e-7, jnp.dtype("float64"): 1e-11}


def check_solver(solver: str | None) -> None:
    """ValueError for a name that is not in `SOLVERS`."""
    if solver not in (None, *SOLVERS):
        raise ValueError(f"expected solver to be one of {', '.join(sorted(SOLVERS))}, got {solver!r}")


def choose_solver(solver: str | None, num_programs: int, num_points: int, otherwise: str = "active_set") -> str:
    """The solver of one manifold's programs, "host" where that is worth it; ValueError if it is named without numba."""
    if solver == "host":
        callback.check_available()
    return solver or ("host" if callback.is_worth_it(num_programs, num_points) else otherwise)


def nonnegative_qp(
    gram: Float[Array, "M M"],
    linear: Float[Array, "n M"],
    *,
    solver: str | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    alike: int = 1,
) -> QPSolution:
    """Solves a batch of non-negative quadratic programs that share their quadratic part.

        min_{a >= 0}  1/2 a' K a - a' b

    Each program is scaled to a unit diagonal and a unit right-hand side first, so that `tol` means the same
    whatever the units of the data; `GeometryOptions` documents it. A zero row of K marks an absent point, whose
    multiplier is 0. Convergence is not assumed: read `residual`. NaN in a program gives NaN. Where so many
    batches of a vmap that follow one another are `alike`, the host is quicker if it knows. Half precision becomes
    float32.
    """
    dtype = jnp.result_type(gram, linear, jnp.float32)
    gram, linear = jnp.asarray(gram, dtype), jnp.asarray(linear, dtype)
    solver = choose_solver(solver, linear.shape[0], linear.shape[1])
    return _nonnegative_qp(gram, linear, solver=solver, tol=tol, maxiter=maxiter, alike=alike)


@functools.partial(jax.jit, static_argnames=("solver", "tol", "maxiter", "alike"))
@jax.default_matmul_precision("highest")
def _nonnegative_qp(gram, linear, *, solver, tol, maxiter, alike):
    diagonal = jnp.diagonal(gram)
    present = diagonal > 0
    root = jnp.sqrt(jnp.where(present, diagonal, 1))
    scaled_gram = jnp.where(jnp.eye(gram.shape[0], dtype=bool), 1, gram / (root[:, None] * root[None, :]))
    scaled_linear = jnp.where(present, linear / root, -1)
    size = jnp.max(jnp.abs(scaled_linear), axis=-1, keepdims=True)
    size = jnp.where(size > 0, size, 1)
    scaled = _solve(scaled_gram, scaled_linear / size, solver, tol, maxiter, alike)
    multipliers = jnp.where(present, scaled * size / root, 0)
    residual = kkt_residual(gram, jnp.where(present, linear, 0), multipliers)
    # The host reads of K only what it needs.
    multipliers = jnp.where(jnp.isnan(residual)[:, None], jnp.nan, multipliers)
    return QPSolution(multipliers, residual)


def _solve(gram, linear, solver, tol, maxiter, alike):
    """Multipliers of scaled programs."""

    def on_device(gram, linear, name=solver, maxiter=maxiter):
        solve, default_maxiter = ON_DEVICE[name]
        own_tol = TOLERANCES[gram.dtype] if tol is None else tol
        return solve(gram, linear, own_tol, default_maxiter if maxiter is None else maxiter)

    def on_host(gram, linear):
        own_tol = ON_HOST_TOLERANCES[gram.dtype] if tol is None else tol
        signs = jnp.ones_like(linear[:1])
        return callback.solve_on_host(gram, linear, signs, tol=own_tol, max_steps=maxiter, alike=alike)

    if solver != "host":
        return on_device(gram, linear)
    # A program may be made on a processor for another device: there the callback does not exist.
    elsewhere = functools.partial(on_device, name="active_set", maxiter=None)
    return jax.lax.platform_dependent(gram, linear, cpu=on_host, default=elsewhere)
