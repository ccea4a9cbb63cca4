"""Sets of examples that share none: they show how far a measure moves with the examples."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from memorize_jax.keys import stream

# Sets of one round at most.
MOST_SETS = 5
# A set of one example has no radius, so that fewer than two sets of two tell nothing.
FEWEST_EXAMPLES = 4


class Plan(NamedTuple):
    """Sizes of the sets.

    Attributes:
      taken: m_c, examples of each class in a set.
      num_sets: k, of each round.
      num_rounds: B; 0 where a class has too few examples.
      is_whole: whether a set has as many examples as a repeat.
    """

    taken: Int[np.ndarray, " P"]
    num_sets: int
    num_rounds: int
    is_whole: bool


def plan_parts(there: Int[np.ndarray, " P"], whole: Int[np.ndarray, " P"], repeats: int) -> Plan:
    """Decides how many sets of how many examples are measured, for about as many degrees of freedom as repeats / 2.

    Where every class has twice as many examples as a repeat takes, sets are as large as a repeat, and the first of a
    round is one. Else they are halves of the examples there are, or what a repeat takes if that is less.
    """
    most = int(np.min(there // whole))
    if most >= 2:
        num_sets = min(most, MOST_SETS)
        return Plan(whole, num_sets, min(repeats, max(1, repeats // (2 * (num_sets - 1)))), True)
    enough = there.min() >= FEWEST_EXAMPLES and whole.min() > 1
    return Plan(np.minimum(whole, there // 2), 2, max(1, repeats // 2) if enough else 0, False)


def choose_parts(
    rows: Mapping[Any, Int[np.ndarray, " _"]],
    chosen: Mapping[Any, Int[np.ndarray, " _"]],
    plan: Plan,
    key: PRNGKeyArray,
    number: int,
) -> list[dict[Any, Int[np.ndarray, " _"]]]:
    """The sets of one round: label -> rows, k times.

    Args:
      rows: label -> all rows of the class.
      chosen: label -> rows of the repeat of this number, which are the first set where sets are as large.
      plan: sizes.
      key: of the analysis.
      number: of the round.
    """
    seed = np.asarray(jax.random.key_data(stream(key, "parts of the examples"))).ravel().tolist()
    parted = {}
    for place, ((label, own), taken) in enumerate(zip(chosen.items(), plan.taken, strict=True)):
        order = np.random.default_rng([*seed, place, number]).permutation(rows[label])
        if plan.is_whole:
            order = np.concatenate([own, order[~np.isin(order, own)]])
        parted[label] = order[: plan.num_sets * taken].reshape(plan.num_sets, taken)
    return [{label: own[place] for label, own in parted.items()} for place in range(plan.num_sets)]
