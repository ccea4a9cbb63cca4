"""The data of a run that is watched: what a program trains on, checked before anything is stored."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from memorize_jax.config import WATCHED
from memorize_jax.data import PermutedLabels, Split, Splits
from memorize_jax.data.subsets import example_groups
from memorize_jax.geometry.points import as_array, as_labels, has_bad

MOST_EXAMPLES = 50


def read_data(
    images: Any, labels: Any, true_labels: Any, test_images: Any = None, test_labels: Any = None
) -> tuple[Splits, PermutedLabels]:
    """Reads training examples with the labels they are trained on and their true ones, and test examples.

    An example counts as permuted where the two labels differ: whether a label was drawn anew and came out the same is
    not known here.

    Raises:
      ValueError: arrays that do not match, labels that are no integers, a class without training examples; neither a
        test set nor an example with a wrong label, for then nothing tells which epoch is the best.
    """
    train_images = _inputs(images, "images")
    assigned = as_labels(labels, len(train_images), "labels").astype(np.int32)
    true = as_labels(true_labels, len(train_images), "true_labels").astype(np.int32)
    if (test_images is None) != (test_labels is None):
        raise ValueError("expected test_images and test_labels together, got one of them")
    if test_images is None:
        if not np.any(assigned != true):
            raise ValueError(
                "expected test_images and test_labels, or labels that differ from true_labels: without either nothing "
                "tells which epoch generalizes best"
            )
        held, held_labels = train_images[:0], true[:0]
    else:
        held = _inputs(test_images, "test_images")
        held_labels = as_labels(test_labels, len(held), "test_labels").astype(np.int32)
        if held.shape[1:] != train_images.shape[1:] or held.dtype != train_images.dtype:
            of = f"{train_images.dtype} {list(train_images.shape[1:])}"
            raise ValueError(f"expected test_images like images, {of} each, got {held.dtype} {list(held.shape[1:])}")
    num_classes = int(max(own.max(initial=0) for own in (assigned, true, held_labels))) + 1
    for name, own in (("true_labels", true), ("labels", assigned)):
        absent = np.setdiff1d(np.arange(num_classes), own)
        if len(absent):
            raise ValueError(
                f"expected {name} of every class from 0 to {num_classes - 1}, got none of "
                f"{', '.join(map(str, absent))}; np.unique(labels, return_inverse=True)[1] numbers classes without gaps"
            )
    splits = Splits(Split(train_images, true, num_classes, WATCHED), Split(held, held_labels, num_classes, WATCHED))
    return splits, PermutedLabels(assigned, true, assigned != true)


def fewest_examples(splits: Splits, labels: PermutedLabels) -> tuple[int, str]:
    """The least number of examples that a class has in a group that is not empty, and where: "class 3 of permuted"."""
    groups = example_groups(labels, splits.test.labels).items()
    counts = {
        name: np.bincount(own.labels, minlength=splits.train.num_classes) for name, own in groups if len(own.labels)
    }
    name = min(counts, key=lambda name: counts[name].min())
    return int(counts[name].min()), f"class {counts[name].argmin()} of {name}"


def _inputs(images, name):
    values = np.asarray(as_array(images, name))
    if values.ndim < 2 or not len(values):
        raise ValueError(f"expected {name} [n, ...] as the network takes them, got shape {values.shape}")
    # To NumPy half precision of jax is no floating point.
    if jnp.issubdtype(values.dtype, jnp.floating) and has_bad(values):
        raise ValueError(f"expected finite {name}, got NaN or infinite numbers; leave these examples out")
    return values.astype(np.float32) if values.dtype == np.float64 else values
