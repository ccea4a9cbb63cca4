"""The paper's four groups of examples, and which of them stand for a class manifold."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from memorize_jax.data.labels import PermutedLabels
from memorize_jax.keys import stream
from memorize_jax.whole import check_whole

GROUPS = ("unpermuted", "permuted", "restored", "test")


class Group(NamedTuple):
    """Examples of the training set, or of the test set in the group "test", with the labels they are analyzed under."""

    indices: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]


def example_groups(labels: PermutedLabels, test_labels: Int[np.ndarray, " m"]) -> dict[str, Group]:
    """Forms the groups of section 3.1, in the order of `GROUPS`: unpermuted, permuted, restored, test.

    Permuted examples carry the labels they were trained with; restored are the same examples with their true labels.
    Unpermuted is empty when all labels are permuted, permuted and restored when none are.
    """
    unpermuted = np.flatnonzero(~labels.is_permuted)
    permuted = np.flatnonzero(labels.is_permuted)
    return {
        "unpermuted": Group(unpermuted, labels.true[unpermuted]),
        "permuted": Group(permuted, labels.assigned[permuted]),
        "restored": Group(permuted, labels.true[permuted]),
        "test": Group(np.arange(len(test_labels)), np.asarray(test_labels, np.int32)),
    }


def manifold_indices(
    group: Group,
    *,
    num_classes: int,
    examples_per_class: int,
    key: PRNGKeyArray,
    name: str = "group",
    max_classes: int | None = None,
    repeat: int = 0,
) -> Int[np.ndarray, "P M"]:
    """Chooses the M examples that stand for each class manifold; classes are in increasing order.

    Args:
      key: each class has its own stream, so the choice for one does not depend on the others.
      name: of the group, for the error message.
      max_classes: use at most this many classes, drawn from the key.
      repeat: number of another choice for the same classes; it shares no example with those before it as long as the
        class has enough.
    """
    for setting, value in (("examples_per_class", examples_per_class), ("max_classes", max_classes)):
        if value is not None:
            check_whole(setting, value, least=1)
    if len(group.labels) != len(group.indices):
        raise ValueError(f"expected a label for each of {len(group.indices)} indices, got {len(group.labels)}")
    if wrong := [label for label in np.unique(group.labels).tolist() if not 0 <= label < num_classes]:
        raise ValueError(f"expected labels of {name} between 0 and {num_classes - 1}, got {wrong[0]}")
    counts = np.bincount(group.labels, minlength=num_classes)
    key = stream(key, "manifold examples")
    seed = np.asarray(jax.random.key_data(key)).ravel().tolist()
    classes = np.arange(num_classes)
    if max_classes is not None and max_classes < num_classes:
        classes = np.sort(np.random.default_rng([*seed, num_classes]).permutation(num_classes)[:max_classes])
    short = classes[counts[classes] < examples_per_class]
    if len(short):
        expected = f"at least {examples_per_class} {name} examples in every class"
        found = say_counts({str(label): int(counts[label]) for label in short})
        fewest = counts[classes].min()
        advice = f"lower --examples_per_class to {fewest} or less" if fewest >= 2 else "no manifold has fewer than 2"
        raise ValueError(f"expected {expected}, got {found}; {advice}")
    chosen = []
    for label in classes:
        members = group.indices[group.labels == label]
        # In the same order as long as it has M more, then in a new one.
        turn, place = divmod(repeat, len(members) // examples_per_class)
        order = np.random.default_rng([*seed, int(label), *([turn] if turn else [])]).permutation(members)
        chosen.append(order[place * examples_per_class : (place + 1) * examples_per_class])
    return np.stack(chosen)


def say_counts(counts: Mapping[str, int], most: int = 8) -> str:
    """Says how many examples those classes have that have the fewest, in their order, and how many others there are.

    Args:
      counts: class -> its number of examples.
      most: classes that are named.
    """
    worst = set(sorted(counts, key=lambda name: counts[name])[:most])
    more = f" and {len(counts) - most} more" if len(counts) > most else ""
    return ", ".join(f"{count} in class {name}" for name, count in counts.items() if name in worst) + more
