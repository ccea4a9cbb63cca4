"""Which examples are measured, under which labels."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from memorize_jax.data import PermutedLabels, example_groups

# All training examples, in addition to the groups of the paper.
TRAIN = "train"


class Labeling(NamedTuple):
    """Where the labels of a group are among those of `Labelings.labels`.

    Attributes:
      true: the true ones.
      assigned: those that the network was trained on; of test examples the true ones.
      own: those that the group is analyzed under, one of both.
    """

    true: int
    assigned: int
    own: int


class Labelings(NamedTuple):
    """Labels of the training examples and, behind them, of the test set; -1 for an example that is not in the group.

    Attributes:
      labels: each kind once.
      groups: name of each group that is not empty -> its Labeling.
      wrong: the training examples whose assigned class is not their true one.
      true: of all examples.
      assigned: likewise.
    """

    labels: Int[np.ndarray, "S n"]
    groups: dict[str, Labeling]
    wrong: Int[np.ndarray, " w"]
    true: Int[np.ndarray, " n"]
    assigned: Int[np.ndarray, " n"]


def label_groups(labels: PermutedLabels, test_labels: Int[np.ndarray, " m"]) -> Labelings:
    """Labels of the examples of every group that is not empty."""
    num_train, kinds, groups = len(labels.true), [], {}
    true, assigned = (np.concatenate([own, test_labels]).astype(np.int32) for own in (labels.true, labels.assigned))
    members = {TRAIN: np.arange(num_train)}
    for name, group in example_groups(labels, test_labels).items():
        members[name] = group.indices + (num_train if name == "test" else 0)

    def place(given, indices):
        kind = np.full(len(true), -1, np.int32)
        kind[indices] = given[indices]
        same = [number for number, other in enumerate(kinds) if np.array_equal(kind, other)]
        if not same:
            kinds.append(kind)
        return same[0] if same else len(kinds) - 1

    for name, indices in members.items():
        if len(indices):
            both = place(true, indices), place(assigned, indices)
            groups[name] = Labeling(*both, own=both[name in ("permuted", TRAIN)])
    wrong = np.flatnonzero(labels.true != labels.assigned)
    return Labelings(np.stack(kinds), groups, wrong, true, assigned)
