"""Orthonormal directions of a few columns, with an exact derivative and without LAPACK."""

import jax
import jax.numpy as jnp


def _inverse_factor(gram, num_components):
    """Inverse of the lower Cholesky factor of a symmetric matrix whose part beyond K is the identity.

    Written out, and not LAPACK's, for the reason that `eigen` gives; K is small.
    """
    rows = jnp.arange(gram.shape[0])

    def eliminate(j, carry):
        rest, inverse = carry
        column = rest[:, j] / jnp.sqrt(rest[j, j])
        below = jnp.where(rows > j, column, 0)
        pivot_row = inverse[j] / column[j]
        inverse = jnp.where((rows == j)[:, None], pivot_row, inverse - below[:, None] * pivot_row)
        return rest - below[:, None] * below[None], inverse

    return jax.lax.fori_loop(0, num_components, eliminate, (gram, jnp.eye(len(rows), dtype=gram.dtype)))[1]


@jax.custom_vjp
def orthonormal_columns(columns, num_components):
    """Finds orthonormal directions with the same span as the first K columns of a matrix.

        V = C L'^-1,   L L' = C'C          dC = (1 - V V') dV L^-1

    The derivative leaves out rotations within the span: it is right for whatever does not depend on those.

    Args:
      columns: [P, K_max], C; zero beyond the first K.
      num_components: K.

    Returns:
      [P, K_max], V; zero beyond the first K.
    """
    return _columns_forward(columns, num_components)[0]


def _columns_forward(columns, num_components):
    beyond = jnp.arange(columns.shape[1]) >= num_components
    inverse = _inverse_factor(columns.T @ columns + jnp.diag(beyond.astype(columns.dtype)), num_components)
    directions = columns @ inverse.T
    return directions, (directions, inverse)


def _columns_backward(residuals, cotangent):
    directions, inverse = residuals
    return (cotangent - directions @ (directions.T @ cotangent)) @ inverse, None


orthonormal_columns.defvjp(_columns_forward, _columns_backward)
