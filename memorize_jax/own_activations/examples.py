"""Which rows of somebody's activations stand for which class."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Integer, PRNGKeyArray

from memorize_jax.data import Group, manifold_indices

# Examples of a class that are taken unless more are asked for.
MOST_EXAMPLES = 50
UNEQUAL = ("mask", "subsample")


class Examples(NamedTuple):
    """Labels, and how many examples of each class are to be taken.

    Attributes:
      classes: the labels that occur, in increasing order.
      dense: the class of every example as its place among them.
      counts: examples of each class.
      asked: examples of each class that the caller wants, or as many as there are up to that.
      most: examples that the largest class gives.
      is_exact: whether a class with fewer than asked is refused.
    """

    labels: Integer[np.ndarray, " n"]
    classes: np.ndarray
    dense: Integer[np.ndarray, " n"]
    counts: Integer[np.ndarray, " P"]
    asked: int
    most: int
    max_classes: int | None
    is_exact: bool

    @property
    def num_rows(self) -> int:
        """Rows that are taken at most."""
        return int(np.sort(np.minimum(self.counts, self.most))[::-1][: self.max_classes].sum())


class Chosen(NamedTuple):
    """The examples that are measured.

    Attributes:
      indices: label -> rows that stand for the class.
      there: examples that each of these classes has.
      taken: says how many examples of how many classes these are.
    """

    indices: dict[int, Int[np.ndarray, " M"]]
    there: Integer[np.ndarray, " P"]
    taken: str


def count_examples(
    labels: Integer[np.ndarray, " n"], *, examples_per_class: int | None, max_classes: int | None, unequal: str
) -> Examples:
    """Decides how many examples of each class are taken; arguments and errors of `analyze`."""
    # Classes may be numbered with gaps: only those that occur are manifolds.
    classes, dense, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"expected labels of at least 2 classes, got {classes.tolist()}")
    if unequal not in UNEQUAL:
        raise ValueError(f"expected unequal to be one of {', '.join(UNEQUAL)}, got {unequal!r}")
    asked = examples_per_class
    if asked is None:
        asked = min(MOST_EXAMPLES, int(counts.max() if unequal == "mask" else counts.min()))
    most = min(asked, int(counts.max()))
    return Examples(labels, classes, dense, counts, asked, most, max_classes, examples_per_class is not None)


def choose_examples(examples: Examples, key: PRNGKeyArray, *, repeat: int = 0) -> Chosen:
    """Draws the examples that stand for each class.

    Args:
      key: each class has a stream of its own in it, so the choice for one does not depend on the others.
      repeat: number of another choice; it shares no example with those before it as long as a class has enough.

    Raises:
      ValueError: a class has fewer examples than asked for.
    """
    labels, classes, dense, counts, asked, most, max_classes, is_exact = examples
    # A row -1 stands for each example that a class lacks, so that all are drawn alike.
    lacking = np.repeat(np.arange(len(classes)), np.maximum(most - counts, 0))
    rows = manifold_indices(
        Group(np.append(np.arange(len(labels)), np.full(len(lacking), -1)), np.append(dense, lacking)),
        num_classes=len(classes),
        examples_per_class=most,
        key=key,
        name="given",
        max_classes=max_classes,
        repeat=repeat,
    )
    indices = {int(labels[own.max()]): own[own >= 0] for own in rows}
    there = counts[np.searchsorted(classes, list(indices))]
    if is_exact and there.min() < asked:
        found = ", ".join(f"{n} in class {c}" for c, n in zip(indices, there, strict=True) if n < asked)
        raise ValueError(
            f"expected at least {asked} examples in every class, got {found}; lower examples_per_class to "
            f"{there.min()} or less, or leave it out"
        )
    return Chosen(indices, there, _taken(np.array([len(own) for own in indices.values()]), there, len(classes)))


def _taken(taken, there, num_classes):
    span = lambda sizes: f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    cut = np.any(taken < there)
    some = f"{len(there)} of " if len(there) < num_classes else ""
    return (
        f"{f'{span(taken)} of the' if cut else 'all'} {span(there)} examples of each of {some}{num_classes} classes"
        f"{'; examples_per_class takes another number of them' if cut else ''}"
    )
