"""Exact linear separability, one dichotomy after the other, on the host."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

# Distance of the hull from the origin, in units of the points' root mean square, that counts as none.
NO_DISTANCE = 1e-7
# Steps for each point after which the host gives up.
MOST_STEPS = 3


def separable_by_least_squares(rows: Float[np.ndarray, "n d"], signs: Float[np.ndarray, " n"]) -> tuple[bool, bool]:
    """Tells whether some w has signs_i rows_i . w > 0 for all i, by Lawson and Hanson's active-set method.

        min_{a >= 0} |sum_i a_i signs_i rows_i|^2 + (sum_i a_i - 1)^2

    is zero exactly if the origin is in the hull of the signed points, so that no such w exists (Gordan). The work grows
    with the cube of the number of features. Rows are of about unit length; a column of ones lets hyperplanes miss the
    origin. Returns (separable, undecided); undecided, and then not separable, if the method did not end.
    """
    matrix = np.vstack([(rows * signs[:, None]).T, np.ones(len(rows))])
    target = np.zeros(len(matrix))
    target[-1] = 1
    try:
        _, distance = nnls(matrix, target)
    except RuntimeError:
        return False, True
    return bool(distance > NO_DISTANCE), False


def separable_on_host(rows: Float[np.ndarray, "n d"], signs: Float[np.ndarray, " n"]) -> tuple[bool, bool]:
    """`separable_by_least_squares` compiled by numba, which ends as soon as it knows.

    Undecided where rounding of inner products would decide. Releases the interpreter's lock; needs numba.
    """
    from memorize_jax.geometry.qp import host

    found = host.separable(np.ascontiguousarray(rows), signs, NO_DISTANCE, MOST_STEPS * len(rows))
    return found == 1, found < 0
