"""Which rows of somebody's activations stand for which class."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, PRNGKeyArray

from memorize_jax.data import Group, manifold_indices
from memorize_jax.data.subsets import say_counts
from memorize_jax.own_activations.labels import Labels
from memorize_jax.whole import check_whole

# Examples of a class that are taken unless more are asked for.
MOST_EXAMPLES = 50
UNEQUAL = ("mask", "subsample")


class Examples(NamedTuple):
    """The examples that take part, and how many of each class are to be taken.

    Attributes:
      rows: of the activations.
      codes: the class of each of these rows, as its place among the names.
      names: of the classes, as the caller has them.
      counts: examples of each class.
      asked: examples of each class that the caller wants, or as many as there are up to that.
      most: examples that the largest class gives.
      is_exact: whether a class with fewer than asked is refused.
    """

    rows: Int[np.ndarray, " n"]
    codes: Int[np.ndarray, " n"]
    names: tuple[Any, ...]
    counts: Int[np.ndarray, " P"]
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
      indices: name of a class -> rows that stand for it.
      there: examples that each of these classes has.
      taken: says how many examples of how many classes these are.
    """

    indices: dict[Any, Int[np.ndarray, " M"]]
    there: Int[np.ndarray, " P"]
    taken: str


def check_choice(seed: Any, examples_per_class: Any, max_classes: Any, unequal: Any) -> None:
    """ValueError for arguments of `analyze` by which no examples can be chosen."""
    check_whole("seed", seed)
    # Of a longer one jax would use the lowest 32 bits alone.
    if not -(2**31) <= seed < 2**32:
        raise ValueError(f"expected seed of 32 bits, below 2**32, got {seed}")
    for name, value in (("examples_per_class", examples_per_class), ("max_classes", max_classes)):
        if value is not None:
            check_whole(name, value, least=1)
    if unequal not in UNEQUAL:
        raise ValueError(f"expected unequal to be one of {', '.join(UNEQUAL)}, got {unequal!r}")


def count_examples(
    labels: Labels,
    is_taken: Bool[np.ndarray, " n"],
    *,
    examples_per_class: int | None = None,
    max_classes: int | None = None,
    unequal: str = "mask",
) -> Examples:
    """Decides how many examples of each class are taken; arguments of `analyze`, that `check_choice` has let pass.

    Args:
      is_taken: which examples take part; no others than those that have a label.

    Raises:
      ValueError: a class without examples, as all of them have NaN.
    """
    rows = np.flatnonzero(is_taken)
    codes, names = labels.codes[rows], labels.names
    counts = np.bincount(codes, minlength=len(names))
    if not counts.all():
        gone = names[int(np.argmin(counts))]
        raise ValueError(
            f"expected examples without NaN in every class, got none in class {gone}; "
            f"mask=labels != {gone!r} leaves the class out"
        )
    asked = examples_per_class
    if asked is None:
        asked = min(MOST_EXAMPLES, int(counts.max() if unequal == "mask" else counts.min()))
    most = min(asked, int(counts.max()))
    return Examples(rows, codes, names, counts, asked, most, max_classes, examples_per_class is not None)


def choose_examples(examples: Examples, key: PRNGKeyArray, *, repeat: int = 0) -> Chosen:
    """Draws the examples that stand for each class.

    Args:
      key: each class has a stream of its own in it, so the choice for one does not depend on the others.
      repeat: number of another choice; it shares no example with those before it as long as a class has enough.

    Raises:
      ValueError: a class has fewer examples than asked for.
    """
    rows, codes, names, counts, asked, most, max_classes, is_exact = examples
    # A place -1 stands for each example that a class lacks, so that all are drawn alike.
    lacking = np.repeat(np.arange(len(names)), np.maximum(most - counts, 0))
    chosen = manifold_indices(
        Group(np.append(np.arange(len(rows)), np.full(len(lacking), -1)), np.append(codes, lacking)),
        num_classes=len(names),
        examples_per_class=most,
        key=key,
        name="given",
        max_classes=max_classes,
        repeat=repeat,
    )
    classes = codes[chosen.max(axis=1)]
    indices = {names[code]: rows[own[own >= 0]] for code, own in zip(classes, chosen, strict=True)}
    there = counts[classes]
    if is_exact and there.min() < asked:
        found = say_counts({str(c): int(n) for c, n in zip(indices, there, strict=True) if n < asked})
        raise ValueError(
            f"expected at least {asked} examples in every class, got {found}; lower examples_per_class to "
            f"{there.min()} or less, or leave it out"
        )
    return Chosen(indices, there, say_taken(np.array([len(own) for own in indices.values()]), there, len(names)))


def say_points(taken: Int[np.ndarray, " P"], there: Int[np.ndarray, " P"]) -> str:
    """A warning where no class is measured on more than one of its examples; "" where some class is."""
    if taken.max() > 1:
        return ""
    which = "has" if there.max() == 1 else "is measured on"
    return f"every class {which} a single example: there are no manifolds, only points"


def say_taken(taken: Int[np.ndarray, " P"], there: Int[np.ndarray, " P"], num_classes: int) -> str:
    """Says how many examples, of how many that there are, of how many classes are measured."""
    span = lambda sizes: f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    cut = np.any(taken < there)
    some = f"{len(there)} of " if len(there) < num_classes else ""
    return (
        f"{f'{span(taken)} of the' if cut else 'all'} {span(there)} examples of each of {some}{num_classes} classes"
        f"{'; examples_per_class takes another number of them' if cut else ''}"
    )
