"""Memorization and influence, as differences of accuracies between networks trained with and without an example."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

# Fewer networks with, or without, an example say too little about it.
FEWEST = 20
# Status of an example that too few networks were trained with, or without.
TOO_FEW = 1
# Test examples whose influences are held at once.
TESTS_AT_A_TIME = 256


class Difference(NamedTuple):
    """How much more often networks are right that were trained with an example.

    Attributes:
      value: share of right networks among those with it, minus that among those without; NaN where the status is not 0.
      standard_error: of that difference of two independent shares.
      status: 0, or `TOO_FEW`.
    """

    value: Float[np.ndarray, "*axes n"]
    standard_error: Float[np.ndarray, "*axes n"]
    accuracy_with: Float[np.ndarray, "*axes n"]
    accuracy_without: Float[np.ndarray, "*axes n"]
    num_with: Int[np.ndarray, " n"]
    num_without: Int[np.ndarray, " n"]
    status: Int[np.ndarray, " n"]


def memorization(members: Bool[np.ndarray, "runs n"], correct: Bool[np.ndarray, "runs n"]) -> Difference:
    """Memorization of every training example: how much more often networks that saw it get its label right.

    mem_i = mean_{runs with i} 1[h(x_i) = y_i] - mean_{runs without i} 1[h(x_i) = y_i]

    Args:
      members: whether a run was trained on an example.
      correct: whether a run predicts the label that the example is trained on.

    References:
      Feldman & Zhang 2020 (arXiv 2008.03703), equation 1, estimated as in their section 2.1.
    """
    right_with = np.sum(members & correct, axis=0)
    right_without = np.sum(~members & correct, axis=0)
    return _difference(members, right_with, right_without)


def influence(members: Bool[np.ndarray, "runs n"], test_correct: Bool[np.ndarray, "runs m"]) -> Difference:
    """Influence of every training example on every test example, [m, n].

    infl_ij = mean_{runs with i} 1[h(x'_j) = y'_j] - mean_{runs without i} 1[h(x'_j) = y'_j]

    References:
      Feldman & Zhang 2020 (arXiv 2008.03703), equation 2.
    """
    right, inside = test_correct.T.astype(np.float64), members.astype(np.float64)
    return _difference(members, right @ inside, right @ (1 - inside))


class TopInfluences(NamedTuple):
    """The training examples of most influence on every test example, the most influential first.

    Attributes:
      examples: of the training set; -1 where no further one has a number.
    """

    examples: Int[np.ndarray, "m top"]
    values: Float[np.ndarray, "m top"]
    standard_errors: Float[np.ndarray, "m top"]


def top_influences(
    members: Bool[np.ndarray, "runs n"], test_correct: Bool[np.ndarray, "runs m"], top: int
) -> TopInfluences:
    """The `top` largest influences on every test example; some test examples at a time, never all [m, n] at once."""
    parts = []
    for start in range(0, test_correct.shape[1], TESTS_AT_A_TIME):
        found = influence(members, test_correct[:, start : start + TESTS_AT_A_TIME])
        # A stable order, so that equal ones come by number.
        order = np.argsort(-found.value, axis=1, kind="stable")[:, :top]
        values, errors = (np.take_along_axis(leaf, order, 1) for leaf in (found.value, found.standard_error))
        parts.append(TopInfluences(np.where(np.isfinite(values), order, -1), values, errors))
    return TopInfluences(*map(np.concatenate, zip(*parts, strict=True)))


def _difference(members, right_with, right_without):
    num_with, num_without = members.sum(axis=0), (~members).sum(axis=0)
    status = np.where(np.minimum(num_with, num_without) < FEWEST, TOO_FEW, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        with_it, without = right_with / num_with, right_without / num_without
        error = np.sqrt(with_it * (1 - with_it) / num_with + without * (1 - without) / num_without)
    value, error = (np.where(status == 0, leaf, np.nan) for leaf in (with_it - without, error))
    return Difference(value, error, with_it, without, num_with, num_without, status)
