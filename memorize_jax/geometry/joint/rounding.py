"""Whether rounding of the inner products hides directions that the joint geometry needs."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from memorize_jax.geometry.joint.blocks import Block
from memorize_jax.geometry.joint.cone import ROUNDING, Root

# Shares of the directions that may be lost, or have less than a digit left, and how many points with weight in a
# projection there may then be for each other direction: with more the capacity was 3 % too high or more, with fewer 2 %
# at most (docs/math.md).
LOST, FAINT, ENOUGH = 0.05, 0.2, 0.7


def is_rounded(num_active: Float[Array, ""], root: Root, block: Block) -> Bool[Array, ""]:
    """Tells whether projections would take directions that are lost in rounding, or nearly so.

    A projection has as many dimensions as points with weight; directions beyond these hardly matter.

    Args:
      num_active: points with weight in a projection, the mean over the draws.
      root: of all blocks, with an axis S of them.
      block: the same blocks.

    Returns:
      [] True if so in any block; the capacity may then be too high.
    """
    rank, squares = root.rank, root.values**2
    faint = ROUNDING**2 * jnp.finfo(squares.dtype).eps * jnp.max(squares, axis=1, keepdims=True)
    num_faint = jnp.sum((squares > 0) & (squares < faint), axis=1)
    # Where they span as many as they can, centered points one less than they are, no direction is missed.
    most = jnp.minimum(jnp.sum(block.norms > 0, axis=(1, 2)) - 1, block.varying)
    are_hidden = (block.weak > LOST * (rank + block.weak)) | (num_faint > FAINT * rank)
    return jnp.any((rank < most) & are_hidden & (num_active > ENOUGH * (rank - num_faint)))
