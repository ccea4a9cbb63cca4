"""Leading directions of one class in float64, for those so weak that products in float32 lose them.

A common offset of the activations, or one feature in a larger unit, makes the first direction so strong that the others
fall below the rounding of a Gram matrix in float32. The activations themselves still hold them.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

# (decreasing squares [r], sum of all squares) -> how many are needed, more than r if r do not suffice.
Count = Callable[[np.ndarray, float], int]
# For every class its squares [k], decreasing, float64; directions [k, d], orthonormal; and the sum of all squares, in
# units of the class's largest activation. k is what `Count` said, or the rank if that is less.
Directions = list[tuple[np.ndarray, np.ndarray, float]]

# Below this many roundings of the largest lies noise: the class spans no such direction.
RANK_TOLERANCE = 20


def precise_directions(
    rows: Float[np.ndarray, "n d"], count: Count
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k d"], float]:
    """Finds squares of singular values, right singular vectors, and the sum of all squares, as `Directions` has them.

    As many as `count` says, or as are more than what rounding of the activations makes of a class of lower rank.
    """
    # Rounding of the activations is relative to singular values, that of their products here to the squares.
    rounding = max((RANK_TOLERANCE * np.finfo(rows.dtype).eps) ** 2, RANK_TOLERANCE * np.finfo(np.float64).eps)
    wide = rows.astype(np.float64)
    is_dual = wide.shape[0] < wide.shape[1]
    values, vectors = np.linalg.eigh(wide @ wide.T if is_dual else wide.T @ wide)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank, total = int(np.sum(values > rounding * max(values[0], 0))), float(np.sum(wide**2))
    number = min(count(values[:rank], total), rank)
    directions = np.linalg.qr(wide.T @ vectors[:, :number])[0] if is_dual else vectors[:, :number]
    return values[:number], directions.T.astype(rows.dtype), total
