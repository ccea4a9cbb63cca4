"""Orthonormal directions of a few columns, with an exact derivative and without LAPACK."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

# Columns that are eliminated together: one after the other among themselves, by matrix products from all that follow.
BLOCK = 14


def _inverse_factor(gram, num_components):
    """Inverse of the lower Cholesky factor of a symmetric matrix whose part beyond K is the identity.

    Written out, and not LAPACK's: `eigen` says why not a batch of them, and one by one they wait for threads.
    """
    size = len(gram)
    if size <= BLOCK:
        return _inverse_factor_of_block(gram, num_components)
    num_blocks = -(-size // BLOCK)
    padding = [(0, num_blocks * BLOCK - size)] * 2
    rows = jnp.arange(num_blocks * BLOCK)
    beyond = jnp.diag((rows >= size).astype(gram.dtype))
    gram = jnp.pad(gram, padding) + beyond

    def eliminate(block, carry):
        rest, inverse = carry
        first = block * BLOCK
        own = jax.lax.dynamic_slice(rest, (first, first), (BLOCK, BLOCK))
        factor = _inverse_factor_of_block(own, BLOCK)
        panel = jax.lax.dynamic_slice_in_dim(rest, first, BLOCK, axis=1) @ factor.T
        below = jnp.where((rows >= first + BLOCK)[:, None], panel, 0)
        done = factor @ jax.lax.dynamic_slice_in_dim(inverse, first, BLOCK)
        inverse = jax.lax.dynamic_update_slice_in_dim(inverse, done, first, axis=0)
        return rest - below @ below.T, inverse - below @ done

    num_needed = -(-num_components // BLOCK)
    return jax.lax.fori_loop(0, num_needed, eliminate, (gram, jnp.eye(len(rows), dtype=gram.dtype)))[1][:size, :size]


def _inverse_factor_of_block(gram, num_components):
    rows = jnp.arange(len(gram))

    def eliminate(j, carry):
        rest, inverse = carry
        column = rest[:, j] / jnp.sqrt(rest[j, j])
        below = jnp.where(rows > j, column, 0)
        pivot_row = inverse[j] / column[j]
        inverse = jnp.where((rows == j)[:, None], pivot_row, inverse - below[:, None] * pivot_row)
        return rest - below[:, None] * below[None], inverse

    return jax.lax.fori_loop(0, num_components, eliminate, (gram, jnp.eye(len(rows), dtype=gram.dtype)))[1]


@jax.custom_vjp
def orthonormal_columns(columns: Float[Array, "P W"], num_components: ArrayLike) -> Float[Array, "P W"]:
    """Finds orthonormal directions with the same span as the first K columns of a matrix.

        V = C L'^-1,   L L' = C'C          dC = (1 - V V') dV L^-1

    The derivative leaves out rotations within the span: it is right for whatever does not depend on those. C and V are
    zero beyond the first K.
    """
    return columns_forward(columns, num_components)[0]


# jax traces a rule of differentiation where it differentiates, outside the context of its caller.
@jax.default_matmul_precision("highest")
def columns_forward(
    columns: Float[Array, "P W"], num_components: ArrayLike
) -> tuple[Float[Array, "P W"], Float[Array, "W W"]]:
    """`orthonormal_columns` V and L^-1, for its derivative."""
    beyond = jnp.arange(columns.shape[1]) >= num_components
    inverse = _inverse_factor(columns.T @ columns + jnp.diag(beyond.astype(columns.dtype)), num_components)
    return columns @ inverse.T, inverse


@jax.default_matmul_precision("highest")
def columns_backward(
    directions: Float[Array, "P W"], inverse: Float[Array, "W W"], cotangent: Float[Array, "P W"]
) -> Float[Array, "P W"]:
    """Gradient with respect to C, from that with respect to V."""
    return (cotangent - directions @ (directions.T @ cotangent)) @ inverse


def _forward(columns, num_components):
    found = columns_forward(columns, num_components)
    return found[0], found


def _backward(found, cotangent):
    directions, inverse = found
    return columns_backward(directions, inverse, cotangent), None


orthonormal_columns.defvjp(_forward, _backward)
