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


def check_splits(splits: Splits, name: str) -> Splits:
    """Checks that a data set is what the rest of the project relies on.

    Args:
      splits: what a function outside this package returned.
      name: of it, for the error messages.

    Returns:
      The same as NumPy arrays, labels as int32.

    Raises:
      ValueError: expected X, got Y.
    """
    if not isinstance(splits, Splits) or not all(isinstance(split, Split) for split in splits):
        raise ValueError(f"dataset {name}: expected data.Splits of two data.Split, got {type(splits).__name__}")
    for part, split in splits._asdict().items():
        images, labels = np.asarray(split.images), np.asarray(split.labels)
        shapes = f"{images.dtype} {list(images.shape)} and {labels.dtype} {list(labels.shape)}"
        is_image, is_other = (images.dtype, images.ndim) == (np.uint8, 4), images.dtype == np.float32
        if not (is_image or is_other) or images.ndim < 2 or labels.shape != images.shape[:1] or not len(labels):
            raise ValueError(
                f"dataset {name}: expected uint8 images [n, height, width, channels] or float32 [n, ...] and as many "
                f"labels in {part}, got {shapes}"
            )
        if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= split.num_classes:
            raise ValueError(
                f"dataset {name}: expected whole numbers from 0 to {split.num_classes - 1} as labels of {part}, got "
                f"{labels.dtype} from {labels.min()} to {labels.max()}"
            )
    train, test = splits
    if train.images.shape[1:] != test.images.shape[1:] or train.num_classes != test.num_classes:
        raise ValueError(
            f"dataset {name}: expected train and test alike, got examples {train.images.shape[1:]} and "
            f"{test.images.shape[1:]}, {train.num_classes} and {test.num_classes} classes"
        )
    return Splits(
        *(one._replace(images=np.asarray(one.images), labels=np.asarray(one.labels, np.int32)) for one in splits)
    )


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
