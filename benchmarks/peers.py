"""The solvers that geometry is compared with, each called the way that is fastest for it.

A peer gets one manifold's frame [M, D+1] and its draws [n, D+1] and returns the multipliers [n, M] of

    min_v 1/2 ||v - t||^2   subject to   S_i . v <= 0 for every example i        (kappa = 0)

The frame has as few columns as the points span, the smallest problem that a user could hand to the peer.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np

WORKER = __file__.replace("peers.py", "mftma_worker.py")


def cvxopt(frame: np.ndarray, draws: np.ndarray, *, tol: float) -> np.ndarray:
    """Solves the primal by interior points, one program after the other, as the published tool does."""
    from cvxopt import matrix, solvers

    options = {"show_progress": False, "maxiters": 1000, "abstol": tol, "reltol": tol, "feastol": tol}
    quadratic, constraints, bounds = matrix(np.eye(frame.shape[1])), matrix(frame), matrix(np.zeros(len(frame)))
    solve = lambda draw: solvers.qp(quadratic, matrix(-draw), constraints, bounds, options=options)["z"]
    return np.array([np.array(solve(draw))[:, 0] for draw in draws])


def daqp(frame: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Solves the primal by a dual active-set method: one model per manifold, then only its linear part changes."""
    from daqp import Model

    model, infinite = Model(), np.full(len(frame), -1e30)
    sense = np.zeros(len(frame), np.int32)
    model.setup(np.eye(frame.shape[1]), -draws[0], frame, np.zeros(len(frame)), infinite, sense)
    found = np.empty((len(draws), len(frame)))
    for row, draw in zip(found, draws, strict=True):
        model.update(f=-draw)
        row[:] = model.solve()[3]["lam"]
    return found


def daqp_solve(frame: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Solves the same by a fresh `daqp.solve` for every program, the call that its manual shows."""
    import daqp

    quadratic, bounds, infinite = np.eye(frame.shape[1]), np.zeros(len(frame)), np.full(len(frame), -1e30)
    sense = np.zeros(len(frame), np.int32)
    solve = lambda draw: daqp.solve(quadratic, -draw, frame, bounds, infinite, sense)[3]["lam"]
    return np.array([solve(draw) for draw in draws])


def scipy_nnls(frame: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Solves the dual as non-negative least squares, min_{a >= 0} ||S' a - t||, by Lawson and Hanson's method."""
    from scipy.optimize import nnls

    return np.array([nnls(frame.T, draw)[0] for draw in draws])


def jaxopt_osqp(*, tol: float, maxiter: int) -> Callable:
    """Returns a compiled function (frame, draws) -> multipliers: jaxopt's OSQP on the primal, vmapped over draws."""
    solver = jaxopt.OSQP(tol=tol, maxiter=maxiter)

    @jax.jit
    def solve(frame, draws):
        quadratic, bounds = jnp.eye(frame.shape[1], dtype=frame.dtype), jnp.zeros(len(frame), frame.dtype)
        one = lambda draw: solver.run(params_obj=(quadratic, -draw), params_ineq=(frame, bounds)).params.dual_ineq
        return jnp.maximum(jax.vmap(one)(draws), 0)

    return solve


def mftma(
    points: np.ndarray, *, path: str, python: str, num_draws: int, timeout: float = 1800
) -> dict[str, np.ndarray]:
    """Runs the published tool in a process of its own, with its own Python; nothing of it is imported here.

    Args:
      points: [P, M, N].
      path: folder that holds the tool's package `mftma`.
      python: an interpreter that has the tool's requirements.
      num_draws: its n_t.

    Returns:
      capacity, radius, dimension [P], center_correlation, num_center_components; seconds and cpu (processor seconds),
      imports excluded.

    Raises:
      RuntimeError: the tool failed; with its last words.
    """
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/points.npz", points=points)
        command = [python, WORKER, path, f"{folder}/points.npz", f"{folder}/result.npz", str(num_draws)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise RuntimeError(f"the published tool failed:\n{done.stderr[-2000:]}")
        with np.load(f"{folder}/result.npz") as result:
            return dict(result)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on; "absent" for one that is not installed."""
    from importlib import metadata

    found = {"python": sys.version.split()[0]}
    for name in ("jax", "jaxlib", "jaxopt", "numpy", "scipy", "cvxopt", "daqp"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found
