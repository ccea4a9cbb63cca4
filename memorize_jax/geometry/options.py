"""Options of all measurements of manifolds: one record, validated here and nowhere else."""

import dataclasses
import functools
import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from memorize_jax.geometry.batching import peak_bytes
from memorize_jax.geometry.joint.sampling import Plan, joint_peak_bytes, make_plan
from memorize_jax.geometry.points import as_array, is_concrete
from memorize_jax.geometry.qp.solve import check_solver, choose_solver
from memorize_jax.memory import check_fits
from memorize_jax.whole import check_whole

CHOICES = {"frame": ("rank", "qr"), "center": ("all", "none")}
DICHOTOMIES = ("balanced", "one_vs_rest")
# Numbers of removed directions that are measured with `vary_components`: K, fewer, more.
VARIANTS = 3
# Whole numbers, and the least that they can be.
LEAST = {
    **{"num_draws": 1, "chunk": 1, "devices": None, "maxiter": 1},
    **{"num_center_components": None, "classes_per_draw": None},
}
# How far from orthonormal directions to remove may be.
BASIS_ERROR = 1e-3
# The options that each measure knows.
ANCHORS = ("kappa", "solver", "tol", "maxiter")
MEAN_FIELD = (
    *("num_draws", "kappa", "draws", "chunk", "devices", "num_center_components", "center_basis", "frame", "compat"),
    *("vary_components", "solver", "tol", "maxiter"),
)
JOINT = (*("num_draws", "kappa", "draws", "chunk", "devices", "dichotomies", "center", "classes_per_draw", "solver"),)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeometryOptions:
    """How to measure manifolds; every measure reads the options that it knows.

    A record without arrays is hashable: a static argument of `jax.jit`. Keywords of a measure are fields of it.

    Attributes:
      num_draws: Gaussian vectors; None for 300 per manifold, or 200 in all for joint geometry, which rounds up where
        classes are drawn in subsets. The relative standard error of the set's mean-field capacity is about
        sqrt(2 capacity / (num_draws P)).
      kappa: margin >= 0 (inside jit others give NaN and status WRONG_OPTION): mean-field in units of the distance to
        the manifold's center, joint in units of the root mean square distance of the centers from the origin.
      draws: standard normal, to be used instead of sampling. Mean-field [n, M+1] or [P, n, M+1]: M coordinates in the
        space of the examples and one along the center. Joint [n, P M]: t . x_i / |x_i| are entries of C^(1/2) g, with C
        the cosines between all points; every draw then takes all classes.
      chunk: what is held as one batch; None for what suits the device. Mean-field: manifolds, 8 x chunk x n x M
        numbers. Joint: draws whose anchors are held, chunk x P'^2 M numbers beside all inner products.
      devices: how many devices of this process share the work, layer by layer and class by class (joint: block by
        block of classes); the result is the same to rounding. Not inside vmap or pmap.
      num_center_components: mean-field: K, the number of shared center directions to remove; None chooses it, layer by
        layer.
      center_basis: mean-field: [K, N], orthonormal directions to remove instead (to 1e-3; inside jit others give NaN
        and status WRONG_OPTION).
      frame: mean-field: "rank" draws in the directions that the points span, "qr" in min(M, N), as the published tool.
        Only the dimension depends on it.
      compat: mean-field: "mftma" follows the published tool: frame "qr" and K >= 1.
      vary_components: mean-field: whether to measure the set's capacity also with max(1, round(P / 20)) directions
        fewer and more than K removed, which takes three times as many programs.
      solver: a name in `qp.solve.SOLVERS`; None chooses, and the result's `on_host` tells. "host" is the active-set
        method compiled by numba, for a processor; in a program made for another device it stands for "active_set".
        Joint: "host", or any other for the splitting of `qp.signed`. What `jax.export` is to store for the processor of
        another process cannot be "host", which is a function of this one.
      tol: mean-field: a program ends when its scaled residual (ADMM: averaged as `qp.admm` says; "host": by how much
        the worst point is violated), or the scaled move of a sweep of "box_cdqp", is below this. None for 2e-6 in
        float32, 1e-10 in float64; on the host 1e-7 and 1e-11.
      maxiter: mean-field: most iterations, in the solver's own unit ("host": points added); None for its default.
      dichotomies: joint: "balanced", halves at random (if P' is odd they differ by one); "one_vs_rest", each class in
        turn; or [n, P] of -1 and 1, used in turn, each equally often.
      center: joint: "all" takes the mean of all points as the origin, through which the hyperplanes go
        (`simulated_capacity` with its default `bias=True` lets them miss it, which saves about one feature); "none" the
        data's own.
      classes_per_draw: joint: P'; None for as many as the rank allows and 1,024 points hold, all where `dichotomies`
        are given.

    Raises:
      ValueError: naming the option, what is expected and what was given.
    """

    num_draws: int | None = None
    kappa: ArrayLike = 0.0
    draws: Any = None
    chunk: int | None = None
    devices: int = 1
    num_center_components: int | None = None
    center_basis: Any = None
    frame: str = "rank"
    compat: str | None = None
    vary_components: bool = False
    solver: str | None = None
    tol: float | None = None
    maxiter: int | None = None
    dichotomies: Any = "balanced"
    center: str = "all"
    classes_per_draw: int | None = None

    def __post_init__(self):
        if self.compat not in (None, "mftma"):
            raise ValueError(f"expected compat to be None or 'mftma', got {self.compat!r}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"expected {name} to be one of {', '.join(known)}, got {getattr(self, name)!r}")
        check_solver(self.solver)
        for name, least in LEAST.items():
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), least)
        if self.tol is not None and not (isinstance(self.tol, numbers.Real) and self.tol > 0):
            raise ValueError(f"expected tol > 0, got {self.tol!r}")
        if self.devices != 1 and not 1 <= self.devices <= jax.local_device_count():
            raise ValueError(f"expected devices between 1 and {jax.local_device_count()}, got {self.devices}")
        if is_concrete(self.kappa):
            _check_margin(np.asarray(self.kappa))
        if self.center_basis is not None and self.num_center_components is not None:
            raise ValueError("expected either center_basis or num_center_components, got both")
        if isinstance(given := self.dichotomies, str) and given not in DICHOTOMIES:
            raise ValueError(f"expected dichotomies to be one of {', '.join(DICHOTOMIES)} or an array, got {given!r}")


def _check_margin(kappa):
    is_number = any(jnp.issubdtype(kappa.dtype, kind) for kind in (jnp.floating, jnp.integer))
    if kappa.ndim or not is_number:
        raise ValueError(f"expected kappa to be one number, got {kappa.dtype} {list(kappa.shape)}")
    if not 0 <= kappa < np.inf:
        raise ValueError(f"expected kappa >= 0, got {kappa}")


def is_orthonormal(center_basis: Float[Array, "_ _"]) -> Bool[Array, ""]:
    """Tells whether V'V projects, to `BASIS_ERROR`: V V' V = V, in whichever axis the directions are.

    Directions of length 1 at right angles do, and rows of zeros beside them make no difference.
    """
    product = functools.partial(jnp.matmul, precision="highest")
    again = product(product(center_basis, center_basis.T), center_basis)
    return jnp.all(jnp.abs(again - center_basis) <= BASIS_ERROR)


def _read_basis(center_basis):
    basis = as_array(center_basis, "center_basis")
    if basis.ndim != 2 or not basis.size:
        raise ValueError(f"expected center_basis [K, N] or [N, K], got {list(basis.shape)}")
    basis = jnp.asarray(basis)
    basis = basis.astype(jnp.promote_types(basis.dtype, jnp.float32))
    if is_concrete(basis) and not is_orthonormal(basis):
        raise ValueError("expected orthonormal directions as center_basis, got others; np.linalg.qr(basis.T)[0] are")
    return basis


def _check_draws(draws):
    if not draws.size:
        raise ValueError(f"expected one row of draws or more, got {list(draws.shape)}")
    if is_concrete(draws) and not jnp.all(jnp.isfinite(draws)):
        raise ValueError("expected finite draws, got others; None samples them")


def read_options(options: GeometryOptions | None, fields: dict, known: tuple[str, ...]) -> GeometryOptions:
    """A record, or that of the defaults, with fields that were given as keywords; TypeError for unknown ones.

    Raises:
      ValueError: options that are no record.
    """
    if not isinstance(options, GeometryOptions | None):
        raise ValueError(f"expected options=GeometryOptions(...), or its fields as keywords, got {options!r:.60}")
    if other := [name for name in fields if name not in known]:
        raise TypeError(f"expected options out of {', '.join(known)}, got {', '.join(other)}")
    return dataclasses.replace(GeometryOptions() if options is None else options, **fields)


class MeanFieldOptions(NamedTuple):
    """Options of mean-field geometry made ready: a static record, and what is traced."""

    static: GeometryOptions  # the record without arrays and margin; frame, K and neighbors as they are used
    draws: Float[Array, "P n M+1"] | None  # None to sample
    kappa: ArrayLike  # margin
    center_basis: Array | None  # for all layers


def mean_field_options(options: GeometryOptions, shape: tuple) -> MeanFieldOptions:
    """Completes options for points of shape (L, P, M, floating dtype), and checks what depends on it."""
    num_layers, num_manifolds, num_examples, dtype = shape
    draws, count = options.draws, options.num_draws or 300
    if draws is not None:
        draws = jnp.asarray(as_array(draws, "draws"), dtype)
        fits = draws.shape[:-2] in ((), (1,), (num_manifolds,))
        if draws.ndim not in (2, 3) or draws.shape[-1] != num_examples + 1 or not fits:
            raise ValueError(
                f"expected draws [n, {num_examples + 1}] or [{num_manifolds}, n, {num_examples + 1}], got {draws.shape}"
            )
        _check_draws(draws)
        draws = jnp.broadcast_to(draws, (num_manifolds, *draws.shape[-2:]))
        count = draws.shape[1]
    # An accelerator has its own memory, of which nothing is known here.
    if jax.default_backend() == "cpu":
        num_variants = num_layers * (VARIANTS if options.vary_components else 1)
        sizes = (num_variants, num_manifolds, num_examples, 0, count)
        needed = peak_bytes(*sizes, chunk=options.chunk, itemsize=dtype.itemsize)
        what = f"{count} draws for each of {num_manifolds} manifolds of {num_examples} examples"
        check_fits(what, needed, "lower num_draws, chunk or the number of examples")
    given = options.center_basis is not None
    static = dataclasses.replace(
        options,
        num_draws=count,
        kappa=0.0,
        draws=None,
        center_basis=None,
        num_center_components=0 if given else options.num_center_components,
        frame="qr" if options.compat == "mftma" else options.frame,
        # Around directions that the caller gives there is nothing to vary.
        vary_components=options.vary_components and not given,
        solver=choose_solver(options.solver, count, num_examples),
        dichotomies="balanced",
    )
    return MeanFieldOptions(static, draws, options.kappa, _read_basis(options.center_basis) if given else None)


class JointOptions(NamedTuple):
    """Options of joint geometry made ready."""

    draws: Float[Array, "n P M"] | None  # None to sample
    dichotomies: Float[Array, "k P"] | None  # of -1 and 1, or None
    kappa: ArrayLike  # margin
    plan: Plan  # sizes, static
    name: str  # of the dichotomies, static: one of `DICHOTOMIES`, or "given"
    center: str  # static


def joint_options(options: GeometryOptions, shape: tuple) -> JointOptions:
    """Completes options for points of shape (L, P, M, floating dtype), and checks what depends on it."""
    num_layers, num_manifolds, num_examples, dtype = shape
    num_draws, classes_per_draw, draws = options.num_draws or 200, options.classes_per_draw, options.draws
    if num_draws < 2:
        raise ValueError(f"expected num_draws >= 2, got {num_draws}")
    if classes_per_draw is not None and not 2 <= classes_per_draw <= num_manifolds:
        raise ValueError(f"expected classes_per_draw between 2 and {num_manifolds}, got {classes_per_draw}")
    name, given = options.dichotomies, None
    if not isinstance(name, str):
        name, given = "given", _read_dichotomies(options.dichotomies, num_manifolds, dtype)
    whole = given is not None or draws is not None
    if whole and classes_per_draw not in (None, num_manifolds):
        raise ValueError(
            f"expected classes_per_draw {num_manifolds}, or none, with given dichotomies or draws, "
            f"got {classes_per_draw}"
        )
    if draws is not None:
        draws = jnp.asarray(as_array(draws, "draws"), dtype)
        if draws.ndim != 2 or draws.shape[1] != num_manifolds * num_examples:
            raise ValueError(f"expected draws [n, {num_manifolds * num_examples}], got {draws.shape}")
        num_draws = len(draws)
        if given is not None and num_draws % len(given):
            raise ValueError(f"expected as many draws for each of {len(given)} dichotomies, got {num_draws} draws")
        _check_draws(draws)
        draws = draws.reshape(num_draws, num_manifolds, num_examples)
    plan = make_plan(
        num_manifolds,
        num_examples,
        num_draws=num_draws,
        classes_per_draw=num_manifolds if whole else classes_per_draw,
        num_dichotomies=None if given is None else len(given),
    )
    solver = options.solver if options.solver in (None, "host") else "admm"
    solver = choose_solver(solver, plan.draws_per_block, plan.block_size * num_examples, otherwise="admm")
    plan = plan._replace(chunk=options.chunk, devices=options.devices, solver=solver)
    if jax.default_backend() == "cpu":
        what = f"the inner products of {plan.num_blocks} x {plan.block_size} classes of {num_examples} examples"
        needed = joint_peak_bytes(plan, num_layers, num_examples, dtype.itemsize)
        check_fits(what, needed, "lower classes_per_draw or chunk")
    return JointOptions(draws, given, options.kappa, plan, name, options.center)


def _read_dichotomies(dichotomies, num_manifolds, dtype):
    labels = as_array(dichotomies, "dichotomies")
    if labels.ndim != 2 or labels.shape[1] != num_manifolds or not len(labels):
        raise ValueError(f"expected dichotomies [n, {num_manifolds}], got {labels.shape}")
    if is_concrete(labels) and not np.all(np.abs(np.asarray(labels, np.float64)) == 1):
        raise ValueError("expected dichotomies of -1 and 1, got other numbers")
    return jnp.asarray(labels, dtype)
