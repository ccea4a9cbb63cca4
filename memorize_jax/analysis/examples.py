"""The examples that stand for class manifolds, group by group."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from memorize_jax import data
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.data import GROUPS, PermutedLabels, Splits
from memorize_jax.keys import stream
from memorize_jax.progress import warn


def choose_examples(
    splits: Splits,
    labels: PermutedLabels,
    settings: GeometrySettings,
    *,
    seed: int,
    names: Sequence[str] = GROUPS,
    repeat: int = 0,
) -> dict[str, Int[np.ndarray, "P M"]]:
    """Chooses the examples of the manifolds of every group of these names that is not empty.

    Args:
      splits: the data.
      labels: of the training set.
      settings: how many classes, and examples of each.
      seed: of the run.
      names: of the groups.
      repeat: number of another choice, see `data.manifold_indices`.

    Returns:
      Group -> indices into the training set (the test set for "test").

    Raises:
      ValueError: classes have too few examples; names them all.
    """
    if settings.examples_per_class is None:
        raise ValueError("expected examples_per_class >= 2 for the manifolds of a run, got None")
    groups = data.example_groups(labels, splits.test.labels)
    chosen, problems = {}, []
    for name in names:
        if not len(groups[name].indices):
            continue
        try:
            chosen[name] = data.manifold_indices(
                groups[name],
                num_classes=splits.train.num_classes,
                examples_per_class=settings.examples_per_class,
                key=stream(seed, "geometry examples"),
                name=name,
                max_classes=settings.max_classes,
                repeat=repeat,
            )
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return chosen


def choose_repeatedly(
    splits: Splits,
    labels: PermutedLabels,
    settings: GeometrySettings,
    *,
    seed: int,
    names: Sequence[str] = GROUPS,
) -> dict[str, list[Int[np.ndarray, "P M"]]]:
    """Chooses the examples of every group as often as the settings ask for; arguments of `choose_examples`.

    Returns:
      group -> its choices: the first is that of `choose_examples`, and the only one where a class has no others.
    """
    chosen = choose_examples(splits, labels, settings, seed=seed, names=names)
    choices = {group: [examples] for group, examples in chosen.items()}
    if settings.example_repeats > 1:
        for group in resampled_groups(splits, labels, chosen):
            for repeat in range(1, settings.example_repeats):
                again = choose_examples(splits, labels, settings, seed=seed, names=[group], repeat=repeat)
                choices[group].append(again[group])
    return choices


def resampled_groups(
    splits: Splits, labels: PermutedLabels, examples: Mapping[str, Int[np.ndarray, "P M"]]
) -> list[str]:
    """The groups whose classes all have more examples than stand for them; warns of the others on standard error."""
    groups = data.example_groups(labels, splits.test.labels)
    found = []
    for name, chosen in examples.items():
        given = dict(zip(*groups[name], strict=True))
        counts = np.bincount(groups[name].labels)
        whole = [label for label in map(given.get, chosen[:, 0]) if counts[label] <= chosen.shape[1]]
        if whole:
            of = "every class" if len(whole) == len(chosen) else f"class {', '.join(map(str, whole))}"
            warn(
                f"{name}: all examples of {of} are measured, so there are no others and no spread over them; lower "
                "--examples_per_class"
            )
        else:
            found.append(name)
    return found
