"""What a data set is to the rest of the project."""

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Labelled examples.

    Attributes:
      images: [n, height, width, channels] uint8, or [n, features] float32 for data that are not images.
      labels: [n] int32, in 0 .. num_classes - 1.
      num_classes: P.
      name: of the data set.
    """

    images: np.ndarray
    labels: np.ndarray
    num_classes: int
    name: str


class Splits(NamedTuple):
    """A training and a held-out set of the same kind."""

    train: Split
    test: Split


def stratified_split(labels: np.ndarray, test_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits examples into training and test, the same share of every class.

    Args:
      labels: [n] integer.
      test_fraction: share of each class that goes to test, rounded down to whole examples.
      seed: of the shuffle.

    Returns:
      (train indices, test indices), each sorted.
    """
    rng = np.random.default_rng(seed)
    test = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        test.append(members[: int(len(members) * test_fraction)])
    test = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(len(labels)), test), test
