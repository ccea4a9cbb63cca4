"""Our solvers and their peers on the same quadratic programs, at measured exactness."""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import peers
from benchmarks.clock import time_together
from benchmarks.tables import table
from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.qp.callback import manifolds_at_a_time
from memorize_jax.geometry.qp.solve import ON_DEVICE, choose_solver, kkt_residual, nonnegative_qp

# The solvers of the library's functions, on a processor with numba and everywhere else.
HOST, DEVICE = "host", "active_set"
# Ratios to these are shown.
COMPARED = ("cvxopt", "daqp", "daqp.solve")
# At least this many times faster than a peer, at this KKT residual or better.
TARGETS = {"cvxopt": 100, "daqp": 2}
RESIDUAL = 1e-5


class Kind(NamedTuple):
    """A sort of manifold: N features of M examples, at the radius in units of the distance to the center, or Gaussian."""

    text: str
    num_features: Callable[[int], int]
    radius: float
    on_sphere: bool


KINDS = {
    "easy": Kind("Gaussian, 1000 features, radius 0.5", lambda _: 1000, 0.5, False),
    "few": Kind("sphere of radius 1 in 10 features", lambda _: 10, 1.0, True),
    "large": Kind("sphere of radius 5 in M/2 features", lambda num_examples: num_examples // 2, 5.0, True),
}


class Programs(NamedTuple):
    """Programs of P manifolds with n draws each: frames [P, M, D+1], last column 1, and draws [P, n, D+1] in float64."""

    frames: np.ndarray
    draws: np.ndarray

    @property
    def count(self) -> int:
        """Number of programs."""
        return self.draws.shape[0] * self.draws.shape[1]

    def first(self, num_manifolds: int, num_draws: int) -> "Programs":
        """A part of them, for solvers too slow for all."""
        return Programs(self.frames[:num_manifolds], self.draws[:num_manifolds, :num_draws])


class Contender(NamedTuple):
    """A call to time, and the programs it solves; it returns multipliers [P, n, M]."""

    call: Callable
    programs: Programs


def invent(kind: Kind, num_manifolds: int, num_examples: int, num_draws: int) -> Programs:
    """Draws manifolds and brings them into their own coordinates."""
    rng = np.random.default_rng(num_examples)
    points = rng.standard_normal((num_manifolds, num_examples, kind.num_features(num_examples)))
    norm = np.linalg.norm(points, axis=2, keepdims=True) if kind.on_sphere else points.shape[2] ** 0.5
    offsets = kind.radius * points / norm
    offsets -= offsets.mean(axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(offsets, full_matrices=False)
    rank = np.sum(values[0] > 1e-10 * values[0, 0])
    coordinates = (left * values[:, None])[..., :rank]
    frames = np.concatenate([coordinates, np.ones((num_manifolds, num_examples, 1))], axis=2)
    return Programs(frames, rng.standard_normal((num_manifolds, num_draws, rank + 1)))


def ours(solver: str, dtype: str, programs: Programs) -> Contender:
    """Our solver, batched as the pipeline does it, on Gram matrices."""
    num_manifolds, num_examples, _ = programs.frames.shape
    sizes = num_manifolds, programs.draws.shape[1], num_examples
    chunk = manifolds_at_a_time(*sizes) if solver == HOST else None
    with jax.enable_x64(dtype == "float64"):
        transposed = programs.frames.transpose(0, 2, 1)
        grams, linears = (jnp.asarray(left @ transposed, dtype) for left in programs)
    one = lambda item: nonnegative_qp(*item, solver=solver).multipliers
    solve = jax.jit(lambda grams, linears: chunked_map(one, (grams, linears), chunk))

    def call():
        with jax.enable_x64(dtype == "float64"):
            return solve(grams, linears)

    return Contender(call, programs)


def residuals(programs: Programs, multipliers) -> np.ndarray:
    """Computes every program's KKT residual in float64, whatever the solver worked in; [P n]."""
    one = lambda frame, draws, found: kkt_residual(frame @ frame.T, draws @ frame.T, found)
    with jax.enable_x64(True):
        arrays = (jnp.asarray(np.asarray(array, np.float64)) for array in (*programs, multipliers))
        return np.asarray(jax.vmap(one)(*arrays)).ravel()


def contenders(programs: Programs, *, cvxopt_tol: float) -> dict[str, Contender]:
    """Lists what to compare; slow solvers get fewer programs, absent ones are left out."""
    num_draws = programs.draws.shape[1]
    each = lambda solve, part: np.array([solve(*pair) for pair in zip(*part, strict=True)])
    whole = (HOST, DEVICE) if choose_solver(None, 300, 50) == HOST else (DEVICE,)
    found = {f"{name} {dtype}": ours(name, dtype, programs) for name in whole for dtype in ("float32", "float64")}
    for name in sorted(set(ON_DEVICE) - {DEVICE}):
        found[f"{name} float32"] = ours(name, "float32", programs.first(2, num_draws))
    part, osqp = programs.first(1, 10), peers.jaxopt_osqp(tol=1e-6, maxiter=4000)
    single = [jnp.asarray(array[0], jnp.float32) for array in part]
    found["jaxopt OSQP float32"] = Contender(lambda: osqp(*single)[None], part)
    rivals = {
        "cvxopt": (lambda *pair: peers.cvxopt(*pair, tol=cvxopt_tol), programs.first(10, 20)),
        "daqp": (peers.daqp, programs),
        "daqp.solve": (peers.daqp_solve, programs),
        "scipy.nnls": (peers.scipy_nnls, programs),
    }
    for name, (solve, part) in rivals.items():
        if importlib.util.find_spec(name.partition(".")[0]):
            found[name] = Contender(partial(each, solve, part), part)
    return found


def compare(programs: Programs, *, repeats: int, cvxopt_tol: float, **columns) -> list[dict]:
    """Times every contender and measures how exact it is; one record each, which begins with `columns`."""
    compared = contenders(programs, cvxopt_tol=cvxopt_tol)
    timed = time_together({name: one.call for name, one in compared.items()}, repeats=repeats)
    each = {name: timed[name][0].best / one.programs.count for name, one in compared.items()}
    records = []
    for name, one in compared.items():
        timing, multipliers = timed[name]
        gaps = residuals(one.programs, multipliers)
        ratios = {peer: each[peer] / each[name] if peer in each else None for peer in COMPARED}
        met = gaps.max() <= RESIDUAL and all(ratios[peer] >= least for peer, least in TARGETS.items() if peer in each)
        count, compile_seconds = one.programs.count, timing.compile if "float" in name else None
        records.append(
            {**columns, "solver": name, "µs": 1e6 * each[name], "median µs": 1e6 * timing.median / count}
            | {"CPU µs": 1e6 * timing.cpu / count, "compile s": compile_seconds}
            | {"residual": f"{np.median(gaps):.0e}", "worst": f"{gaps.max():.0e}"}
            | {f"x {peer}": ratio for peer, ratio in ratios.items()}
            | {"target": ("yes" if met else "NO") if name.startswith(HOST) else ""}
        )
    return records


def section(*, sizes, kinds, num_manifolds: int, num_draws: int, repeats: int, cvxopt_tol: float) -> str:
    """Compares the solvers on every size and kind; Markdown."""
    records = []
    for num_examples in sizes:
        for name in kinds:
            programs = invent(KINDS[name], num_manifolds, num_examples, num_draws)
            columns = {"M": num_examples, "manifolds": name}
            records += compare(programs, repeats=repeats, cvxopt_tol=cvxopt_tol, **columns)
    meaning = "; ".join(f"*{name}*: {KINDS[name].text}" for name in kinds)
    return f"""### One program

{num_manifolds} manifolds with {num_draws} draws each ({meaning}). Times are per program: the least and the median of
{repeats} turns, and the least processor time, all threads together. The residual, median and worst over the programs, is the
distance by which optimality is missed in units of the distance to the center, computed in float64 for everyone.
cvxopt (tolerances {cvxopt_tol:g}), daqp and nnls solve one program after the other on one thread, ours a manifold's draws
at once on all cores. *daqp* keeps one model per manifold and changes its linear part; *daqp.solve* sets up every program. Target: {TARGETS["cvxopt"]} x cvxopt and {TARGETS["daqp"]} x daqp with no residual above {RESIDUAL:g}.

{table(records)}
"""
