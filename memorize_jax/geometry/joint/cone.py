"""Projection of Gaussian vectors on cones of signed points, batched over draws that share their points."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from memorize_jax.geometry.eigen import symmetric_eigen, symmetric_eigen_on_host
from memorize_jax.geometry.qp.signed import choose_penalty, solve_signed, solve_signed_on_host

# Eigenvalues are rounding up to so many times eps of the largest.
ROUNDING = 10


class Root(NamedTuple):
    """Square root of the inner products of points of unit length."""

    gram: Float[Array, "n n"]  # C
    values: Float[Array, " n"]  # square roots of its eigenvalues; 0 where an eigenvalue is no more than rounding
    vectors: Float[Array, "n n"]  # a column for each
    rank: Int32[Array, ""]  # how many are not 0


class Projections(NamedTuple):
    """Projections v of the Gaussian vectors t of d draws."""

    squares: Float[Array, " d"]  # ||v||^2; the only leaf that carries a gradient
    weights: Float[Array, "d n"]  # b: v is the sum of b_i x_i; of the points' signs
    linear: Float[Array, "d n"]  # t . x_i, and where there is a margin the margin of x_i in the direction of its sign.
    residual: Float[Array, " d"]  # largest distance by which a half-space is missed, in units of t


def root_of(gram: Float[Array, "n n"], solver: str = "admm") -> Root:
    """Decomposes a Gram matrix with ones on its diagonal, or zeros for points that are not there."""
    values, vectors = (symmetric_eigen_on_host if solver == "host" else symmetric_eigen)(gram)
    # What float32 leaves where there is nothing would count as a direction of its own, however short it is.
    kept = values > ROUNDING * jnp.finfo(gram.dtype).eps * jnp.maximum(values[-1], 1)
    values = jnp.where(kept, values, 0)
    # The value without that rounding, the gradient of the argument.
    clean = gram + jax.lax.stop_gradient((vectors * values) @ vectors.T - gram)
    return Root(clean, jnp.sqrt(values), vectors, jnp.sum(kept).astype(jnp.int32))


def linear_of(
    root: Root, normals: Float[Array, "d n"], signs: Float[Array, "d n"], margins: Float[Array, " n"]
) -> Float[Array, "d n"]:
    """What the points see of the Gaussian vectors: h = C^(1/2) g + y margin; arguments of `project`."""
    return ((normals @ root.vectors) * root.values) @ root.vectors.T + signs * margins


def squared_lengths(root: Root, normals: Float[Array, "d n"]) -> Float[Array, " d"]:
    """||t||^2 within the span of the points: what ||v||^2 comes to, without a margin, where nothing is separable."""
    return jnp.sum((normals @ root.vectors) ** 2 * (root.values > 0), axis=1)


def penalty_of(
    root: Root, normals: Float[Array, "d n"], signs: Float[Array, "d n"], margins: Float[Array, " n"], solver: str
) -> Float[Array, ""]:
    """The penalty that suits these programs, for `project`; a few draws tell. 1 on the host, which has none."""
    choose = lambda root, linear: choose_penalty(root.values**2, root.vectors, linear, signs)
    linear = linear_of(root, normals, signs, margins)
    if solver != "host":
        return choose(root, linear)
    none = lambda root, linear: jnp.ones((), linear.dtype)
    return jax.lax.platform_dependent(root, linear, cpu=none, default=choose)


@functools.partial(jax.custom_vjp, nondiff_argnums=(5,))
def project(
    root: Root,
    normals: Float[Array, "d n"],
    signs: Float[Array, "d n"],
    margins: Float[Array, " n"],
    penalty: Float[Array, ""],
    solver: str = "admm",
) -> Projections:
    """Projects Gaussian vectors on cones.

        ||v||^2 = max over b of the signs' signs of   2 b' h - b' C b,    h = C^(1/2) g + y margin

    The features vanish: t . x_i is distributed as C^(1/2) g. By the envelope theorem the gradient with respect to C is
    -b b', and 2 b with respect to h; that of the root solves C^(1/2) dR + dR C^(1/2) = dC.

    `normals` are g, `signs` y; a point of sign 0 is left out of that draw. Margins, >= 0, are divided by the points'
    lengths. The gradient of the root is that with respect to `root.gram`; results do not depend on the penalty. Solvers
    are those of `GeometryOptions`.

    References:
      Amelunxen, Lotz, McCoy & Tropp 2014; Chou et al. 2025, algorithm 2.
    """
    return _project_forward(root, normals, signs, margins, penalty, solver)[0]


# jax traces a rule of differentiation where it differentiates, outside the context of its caller.
@jax.default_matmul_precision("highest")
def _project_forward(root, normals, signs, margins, penalty, solver):
    linear = linear_of(root, normals, signs, margins)

    def on_device(root, linear, signs):
        weights, residual = solve_signed(root.values**2, root.vectors, linear, signs, penalty)
        return weights, jnp.sum(weights * (2 * linear - weights @ root.gram), axis=1), residual

    def on_host(root, linear, signs):
        return solve_signed_on_host(root.values**2, root.vectors, linear, signs)

    solve = on_device
    if solver == "host":
        # In a program made for another device there is no host.
        solve = functools.partial(jax.lax.platform_dependent, cpu=on_host, default=on_device)
    weights, squares, residual = solve(root, linear, signs)
    return Projections(squares, weights, linear, residual), (root, normals, weights, penalty)


@jax.default_matmul_precision("highest")
def _project_backward(solver, saved, cotangents):
    del solver
    root, normals, weights, penalty = saved
    weighted = weights * cotangents.squares[:, None]
    # t . x_i depends on the points by the root: one Sylvester equation for all draws, diagonal in the eigenvectors.
    outer = root.vectors.T @ (2 * weighted.T @ normals) @ root.vectors
    sums = root.values[:, None] + root.values[None, :]
    inner = jnp.where(sums > 0, outer / jnp.where(sums > 0, sums, 1), 0)
    gram = root.vectors @ ((inner + inner.T) / 2) @ root.vectors.T - weighted.T @ weights
    nothing = jnp.zeros(root.rank.shape, jax.dtypes.float0)
    margins = jnp.sum(2 * weighted * jnp.sign(weights), axis=0)
    others = jnp.zeros_like(normals), jnp.zeros_like(weights), margins, jnp.zeros_like(penalty)
    return Root(gram, jnp.zeros_like(root.values), jnp.zeros_like(root.vectors), nothing), *others


project.defvjp(_project_forward, _project_backward)
