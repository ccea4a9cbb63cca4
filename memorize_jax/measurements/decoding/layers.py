"""Every reading of one layer: subspaces, their controls, and how often each is right."""

from typing import NamedTuple

import numpy as np

from memorize_jax.data import PermutedLabels
from memorize_jax.data.splits import stratified_split
from memorize_jax.measurements.decoding.linear import class_means, first_components, linear_scores
from memorize_jax.measurements.decoding.probes import PROBES, fit_probe
from memorize_jax.measurements.decoding.subspaces import fit_subspaces, nearest, nested_scores, truncate

VARIANTS = ("assigned", "true")
# Name -> rule; the first holds the directions of all others.
RULES = {"masc": {"variance": 0.99}, "masc_0.75": {"variance": 0.75}, "masc_1": {"num_components": 1}}
HELD_OUT = 0.1


class Examples(NamedTuple):
    """What is fitted and what is scored.

    Attributes:
      labels: of the training set.
      test_labels: [m].
      num_classes: P.
      held_in: indices of the training examples that `held_out` was taken from.
      held_out: indices of a tenth of the training examples, the same share of every assigned class. A layer is chosen
        on them. They are held out from the probes; the network was trained on them, with their assigned labels.
      scored: indices of the training examples whose accuracy is reported.
      sampled: indices out of `held_in` to which scikit-learn's probes are fitted.
    """

    labels: PermutedLabels
    test_labels: np.ndarray
    num_classes: int
    held_in: np.ndarray
    held_out: np.ndarray
    scored: np.ndarray
    sampled: np.ndarray


def choose_examples(
    labels: PermutedLabels,
    test_labels: np.ndarray,
    num_classes: int,
    *,
    seed: int,
    most_scored: int = 10_000,
    most_sampled: int = 5_000,
) -> Examples:
    """Draws the parts of the training set.

    Args:
      labels: of the training set.
      test_labels: [m].
      num_classes: P.
      seed: of the draw.
      most_scored: training accuracies are measured on at most this many examples.
      most_sampled: scikit-learn's probes are fitted to at most this many.
    """
    held_in, held_out = stratified_split(labels.assigned, HELD_OUT, seed)
    rng = np.random.default_rng([seed, 1])
    scored = np.sort(rng.permutation(len(labels.true))[:most_scored])
    sampled = np.sort(rng.permutation(held_in)[:most_sampled])
    return Examples(labels, np.asarray(test_labels), num_classes, held_in, held_out, scored, sampled)


def read_layer(
    train: np.ndarray, test: np.ndarray, examples: Examples, variant: str, *, controls: bool = True
) -> list[dict]:
    """Measures how well every method reads a layer.

    Subspaces, first components and class means are fitted to the whole training set; their validation accuracy comes
    from a second fit without the held-out part. scikit-learn's probes are fitted once, to `examples.sampled`.

    Args:
      train: [n, d], activations of the training set.
      test: [m, d].
      examples: of `choose_examples`.
      variant: which labels are fitted: "assigned", those the network was trained on, or "true".
      controls: include the validation accuracy and scikit-learn's probes.

    Returns:
      a dict per method: method, labels, train_accuracy (on the fitted labels), restored_accuracy (true labels of
      permuted examples), validation_accuracy (on the fitted labels), clean_validation_accuracy (on the true ones),
      test_accuracy, num_features, num_fitted, and the least and most components of a class; NaN where there is nothing
      to measure.

    Raises:
      ValueError: unknown variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"expected variant to be one of {', '.join(VARIANTS)}, got {variant!r}")
    fitted = examples.labels.assigned if variant == "assigned" else examples.labels.true
    parts = {"train": train[examples.scored], "test": test}
    predicted, components = read_by_angle(train, fitted, examples.num_classes, parts)
    sizes = dict.fromkeys(predicted, len(train))
    if controls:
        held_in, part = examples.held_in, {"validation": train[examples.held_out]}
        again, _ = read_by_angle(train[held_in], fitted[held_in], examples.num_classes, part)
        for method, found in again.items():
            predicted[method] |= found
        for method in PROBES:
            probe = fit_probe(method, train[examples.sampled], fitted[examples.sampled])
            predicted[method] = {name: probe(points) for name, points in (parts | part).items()}
            sizes[method] = len(examples.sampled)
    labels, scored = examples.labels, examples.scored
    permuted = labels.is_permuted[scored]
    rows = []
    for method, found in predicted.items():
        held_out = found.get("validation", np.zeros(0, int))
        right = [held_out == given[examples.held_out][: len(held_out)] for given in (fitted, labels.true)]
        numbers = components.get(method)
        rows.append(
            {
                "method": method,
                "labels": variant,
                "train_accuracy": _share(found["train"] == fitted[scored]),
                "restored_accuracy": _share((found["train"] == labels.true[scored])[permuted]),
                "validation_accuracy": _share(right[0]),
                "clean_validation_accuracy": _share(right[1]),
                "test_accuracy": _share(found["test"] == examples.test_labels),
                "num_features": train.shape[1],
                "num_fitted": sizes[method],
                "least_components": np.nan if numbers is None else int(numbers.min()),
                "most_components": np.nan if numbers is None else int(numbers.max()),
            }
        )
    return rows


def read_by_angle(
    train: np.ndarray, labels: np.ndarray, num_classes: int, parts: dict[str, np.ndarray]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Predicts by the closed-form methods: subspaces by every rule, first components, class means.

    Args:
      train: [n, d].
      labels: [n] integer.
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


def _share(correct):
    return float(np.mean(correct)) if len(correct) else float("nan")
