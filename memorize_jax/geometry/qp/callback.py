"""When quadratic programs are solved on the host, and the one call by which compiled programs get there."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from memorize_jax.geometry.qp.foreign import register
from memorize_jax.geometry.remembered import Memory, key_of
from memorize_jax.threads import on_threads, one_thread

# Programs times points from which a call is worth its overhead.
LEAST_NUMBERS = 1000
# Programs of more manifolds are collected for one call, up to so many numbers.
AT_A_TIME = 2**19
# What rounding of h and of its Gram matrix's root leaves outside of their span, as a share of the largest.
ROUNDING, DOUBLE_ROUNDING = 1e-4, 1e-12
# Of solutions by a root, which take long, those asked for last are kept up to this size: some layers come again.
REMEMBERED_BYTES = 2**26
# Work, in programs times points, below which threads cost more than they save.
LEAST_THREADED = 20_000


@functools.cache
def is_available() -> bool:
    """Whether numba is there and works; the first call loads it."""
    try:
        from memorize_jax.geometry.qp import host

        weights = np.zeros((1, 1))
        host.solve_programs(np.ones((1, 1, 1)), np.full((1, 1), 2.0), np.ones((1, 1)), 0, 1, 1e-9, 1e-9, 9, weights)
    except Exception:  # what a platform lacks shows in its own way, and nothing depends on it
        return False
    return weights.item() == 2


def check_available() -> None:
    """ValueError without numba."""
    if not is_available():
        raise ValueError("expected numba for what is solved on the host: pip install numba, or choose another way")


def is_worth_it(num_programs: int, num_points: int) -> bool:
    """Whether so many programs should go to the host: on a processor, with numba, and if they are enough."""
    enough = num_programs * num_points >= LEAST_NUMBERS
    return enough and jax.default_backend() == "cpu" and is_available()


def runs_on_host(solver: str | None) -> Bool[Array, ""]:
    """Whether programs of that solver run on the host where this is executed; on other devices there is none."""
    yes, no = (lambda answer=answer: jnp.bool_(answer) for answer in (True, False))
    return jax.lax.platform_dependent(cpu=yes, default=no) if solver == "host" else no()


def manifolds_at_a_time(num_manifolds: int, num_programs: int, num_points: int) -> int:
    """How many manifolds share a call, so that the last is no smaller than the others."""
    num_calls = -(-num_manifolds * num_programs * num_points // AT_A_TIME)
    return -(-num_manifolds // num_calls)


def solve_on_host(
    gram: Float[Array, "M M"],
    linear: Float[Array, "n M"],
    signs: Float[Array, "_ M"],
    *,
    tol: float,
    max_steps: int | None = None,
    is_root: bool = False,
    alike: int = 1,
) -> Float[Array, "n _"]:
    """Solves the programs of `host.solve_programs`, of which the signs are [n, M] or [1, M]; batched by vmap.

    With `is_root` the first argument is some B of K = B B', which float64 then knows without rounding: points are
    dependent or are not. The result is [n, M + 2] then: behind the weights stand b' K b and the residual
    max |min(y b, y (K b - h))|, which large weights in float32 do not tell, as where points fill their dimensions.
    Where so many K of a vmap that follow one another are `alike`, programs begin with the solution of those before.
    """
    max_steps = 10 * linear.shape[-1] + 100 if max_steps is None else max_steps
    how = tol, max_steps, is_root, alike
    name = register("memorize_jax quadratic programs {!r} {} {} {}".format(*how), _solver(*how))
    shape = jax.ShapeDtypeStruct((*linear.shape[:-1], linear.shape[-1] + 2 * is_root), linear.dtype)
    return jax.ffi.ffi_call(name, shape, vmap_method="expand_dims")(gram, linear, signs)


# The same function for the same numbers, under one name.
@functools.cache
def _solver(tol: float, max_steps: int, is_root: bool, alike: int = 1) -> Callable:
    remembered = Memory(REMEMBERED_BYTES)

    def solve(gram, linear, signs, found):
        from memorize_jax.geometry.qp import host, many_points

        key = key_of(gram, linear, signs) if is_root and remembered.accepts(found.nbytes) else b""
        if (before := remembered.find(key)) is not None:
            found[...] = before
            return
        is_double = found.dtype == np.float64
        num_points = linear.shape[-1]
        batch = np.broadcast_shapes(*(each.shape[:-2] for each in (gram, linear, signs)))
        shape = batch + linear.shape[-2:]

        def flat(values, whole, axes):
            """In float64, with one leading axis: a single item for all, or one for each."""
            values = values if values.size == np.prod(values.shape[-axes:]) else np.broadcast_to(values, whole)
            return np.array(values, np.float64, order="C").reshape(-1, *values.shape[-axes:])

        grams, signs = flat(gram, batch + gram.shape[-2:], 2), flat(signs, shape, 1)
        linears = np.array(np.broadcast_to(linear, shape), np.float64, order="C").reshape(-1, num_points)
        least_pivot = host.LEAST_PIVOT if is_double or is_root else host.LEAST_PIVOT_SINGLE
        weights = np.empty_like(linears)
        if is_root:
            with one_thread():
                accuracy = tol, least_pivot, max_steps, DOUBLE_ROUNDING if is_double else ROUNDING
                squares, residual = many_points.solve_by_root(grams, linears, signs, *accuracy, weights)
            found[...] = np.hstack([weights, squares[:, None], residual[:, None]]).reshape(found.shape)
            remembered.keep(key, found.copy(), found.nbytes)
            return

        together = 1 if len(grams) % alike else alike

        def piece(first, last):
            part = first * together, last * together
            host.solve_programs(grams, linears, signs, *part, tol, least_pivot, max_steps, weights, together)

        if weights.size < LEAST_THREADED:
            piece(0, len(weights) // together)
        else:
            on_threads(piece, len(weights) // together)
        found[...] = weights.reshape(found.shape)

    return solve
