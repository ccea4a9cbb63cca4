"""Every reading of one layer: subspaces, their controls, and how often each is right."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from memorize_jax.data import PermutedLabels
from memorize_jax.data.splits import stratified_split
from memorize_jax.measurements.decoding.linear import class_means, first_components, linear_scores
from memorize_jax.measurements.decoding.probes import PROBES, fit_probe
from memorize_jax.measurements.decoding.subspaces import fit_subspaces, nearest, nested_scores, truncate

VARIANTS = ("assigned", "true")
# Name -> rule; the first holds the directions of all others.
RULES = {"masc": {"variance": 0.99}, "masc_0.75": {"variance": 0.75}, "masc_1": {"num_components": 1}}
HELD_OUT = 0.1
# Training accuracies are measured on at most this many examples.
MOST_SCORED = 10_000


class Examples(NamedTuple):
    """What is fitted and what is scored; indices are of the training set.

    Attributes:
      labels: of the training set.
      test_labels: of the test set.
      num_classes: P.
      held_in: all but those held out.
      held_out: a tenth, the same share of every assigned class, on which a layer is chosen. They are held out from the
        probes; the network was trained on them, with their assigned labels.
      scored: those whose accuracy is reported.
      sampled: those held in to which scikit-learn's probes are fitted.
    """

    labels: PermutedLabels
    test_labels: np.ndarray
    num_classes: int
    held_in: np.ndarray
    held_out: np.ndarray
    scored: np.ndarray
    sampled: np.ndarray

    def fitted(self, variant: str) -> Int[np.ndarray, " n"]:
        """The labels of a kind: "assigned", those that the network was trained on, or "true"."""
        return getattr(self.labels, variant)

    def accuracies(self, variant: str, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
        """How often predictions for the scored and the test examples are right; NaN where there are none.

        `restored_accuracy` is by the true labels of the permuted examples.
        """
        true, permuted = self.labels.true[self.scored], self.labels.is_permuted[self.scored]
        return {
            "train_accuracy": share(train == self.fitted(variant)[self.scored]),
            "restored_accuracy": share((train == true)[permuted]),
            "test_accuracy": share(test == self.test_labels),
        }


def choose_examples(
    labels: PermutedLabels, test_labels: np.ndarray, num_classes: int, *, seed: int, most_sampled: int = 5_000
) -> Examples:
    """Draws the parts of the training set; scikit-learn's probes are fitted to at most `most_sampled` of it."""
    held_in, held_out = stratified_split(labels.assigned, HELD_OUT, seed)
    rng = np.random.default_rng([seed, 1])
    scored = np.sort(rng.permutation(len(labels.true))[:MOST_SCORED])
    sampled = np.sort(rng.permutation(held_in)[:most_sampled])
    return Examples(labels, np.asarray(test_labels), num_classes, held_in, held_out, scored, sampled)


def read_layer(
    train: Float[np.ndarray, "n d"],
    test: Float[np.ndarray, "m d"],
    examples: Examples,
    variant: str,
    *,
    controls: bool = True,
) -> list[dict]:
    """Measures how well every method reads a layer.

    Subspaces, first components and class means are fitted to the whole training set; their validation accuracy comes
    from a second fit without the held-out part. scikit-learn's probes are fitted once, to `examples.sampled`.

    Args:
      train: activations of the training set.
      test: activations of the test set.
      examples: of `choose_examples`.
      variant: which labels are fitted, one of `VARIANTS`.
      controls: include the validation accuracy and scikit-learn's probes.

    Returns:
      A row per method, with its accuracies by `Examples.accuracies` and on the held-out examples, by the labels that
      were fitted and by the true ones (clean), and the least and most components of a class.

    Raises:
      ValueError: unknown variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"expected variant to be one of {', '.join(VARIANTS)}, got {variant!r}")
    fitted, held_out = examples.fitted(variant), examples.held_out
    parts = {"train": train[examples.scored], "test": test}
    predicted, components = read_by_angle(train, fitted, examples.num_classes, parts)
    sizes = dict.fromkeys(predicted, len(train))
    if controls:
        held_in, part = examples.held_in, {"validation": train[held_out]}
        again, _ = read_by_angle(train[held_in], fitted[held_in], examples.num_classes, part)
        for method, found in again.items():
            predicted[method] |= found
        for method in PROBES:
            probe = fit_probe(method, train[examples.sampled], fitted[examples.sampled])
            predicted[method] = {name: probe(points) for name, points in (parts | part).items()}
            sizes[method] = len(examples.sampled)
    rows = []
    for method, found in predicted.items():
        validation, numbers = found.get("validation"), components.get(method)
        right = [] if validation is None else [validation == own[held_out] for own in (fitted, examples.labels.true)]
        held = [share(own) for own in right] or [np.nan, np.nan]
        rows.append(
            {
                "method": method,
                "labels": variant,
                **examples.accuracies(variant, found["train"], found["test"]),
                "validation_accuracy": held[0],
                "clean_validation_accuracy": held[1],
                "num_features": train.shape[1],
                "num_fitted": sizes[method],
                "least_components": np.nan if numbers is None else int(numbers.min()),
                "most_components": np.nan if numbers is None else int(numbers.max()),
            }
        )
    return rows


def read_by_angle(
    train: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], num_classes: int, parts: Mapping[str, np.ndarray]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Predicts by the closed-form methods: subspaces by every rule, first components, class means.

    Args:
      train: activations that are fitted.
      labels: of these.
      num_classes: P.
      parts: name -> activations [m, d] to classify.

    Returns:
      (method -> name -> predicted [m], -1 where there is no answer; method -> number of components [P]).
    """
    (first, rule), *others = RULES.items()
    widest = fit_subspaces(train, labels, num_classes=num_classes, **rule)
    nested = {first: widest, **{name: truncate(widest, **other) for name, other in others}}
    linear = {
        "velpic": first_components(widest, np.mean(train, axis=0)),
        "class_mean": class_means(train, labels, num_classes),
    }
    points = np.concatenate(list(parts.values()))
    together = dict(zip(nested, np.asarray(nearest(nested_scores(list(nested.values()), points))), strict=True))
    together |= {name: np.asarray(nearest(linear_scores(weights, points))) for name, weights in linear.items()}
    ends = np.cumsum([len(part) for part in parts.values()])[:-1]
    predicted = {name: dict(zip(parts, np.split(found, ends), strict=True)) for name, found in together.items()}
    return predicted, {name: np.asarray(each.num_components) for name, each in nested.items()}


def share(correct) -> float:
    """Of what is true; NaN of nothing."""
    return float(np.mean(correct)) if len(correct) else float("nan")
