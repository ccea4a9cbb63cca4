"""Mean-field against simulated capacity of the same manifolds (figure 1B)."""

from typing import NamedTuple

import jax
import numpy as np

from memorize_jax.geometry import simulated_capacity


class RepeatedCapacity(NamedTuple):
    """Simulated capacity over independent repetitions.

    Attributes:
      capacity: mean P / n*, or the bound on it that `bound` speaks of.
      standard_error: of the mean; NaN for a bound.
      bound: 0 for an estimate; -1 if the capacity is below the value, +1 if above, as in `SimulatedCapacity`.
      undecided: share of the dichotomies that were neither separated nor shown to be inseparable.
    """

    capacity: float
    standard_error: float
    bound: int
    undecided: float


def repeated_capacity(
    points, *, key: jax.Array, num_repetitions: int = 1, num_dichotomies: int = 40, expected: float | None = None
) -> RepeatedCapacity:
    """Simulates capacity several times, with other projections and labels each time.

        standard error = max( sqrt(sum_r s_r^2) / n,  sd_r(capacity) / sqrt(n) )

    The first is what the simulations say of themselves, the second their spread, rough for few repetitions. If one of
    the repetitions only gives a bound, so does the result.

    Args:
      points: [P, M, N] array or list of [M_i, N]; P >= 2.
      key: of the first; the others are folded in.
      num_repetitions: n >= 1.
      num_dichotomies: tested at each number of features that is tried.
      expected: capacity near which the search begins.
    """
    if num_repetitions < 1:
        raise ValueError(f"expected num_repetitions >= 1, got {num_repetitions}")
    found = [
        simulated_capacity(
            points, key=jax.random.fold_in(key, repetition), num_dichotomies=num_dichotomies, expected=expected
        )
        for repetition in range(num_repetitions)
    ]
    undecided = float(np.mean([one.undecided for one in found]))
    if bounds := [one for one in found if one.bound]:
        return RepeatedCapacity(bounds[0].capacity, float("nan"), bounds[0].bound, undecided)
    capacities = np.array([one.capacity for one in found])
    errors = [np.sqrt(np.sum([one.standard_error**2 for one in found])) / num_repetitions]
    if num_repetitions > 1:
        errors.append(capacities.std(ddof=1) / np.sqrt(num_repetitions))
    return RepeatedCapacity(float(capacities.mean()), float(max(errors)), 0, undecided)
