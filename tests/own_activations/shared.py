"""One shape, few compiled programs: what the tests of repeats and comparisons measure."""

import numpy as np

from memorize_jax import analyze

# Five examples of each of three classes are measured, of two layers.
OPTIONS = {"examples_per_class": 5, "num_draws": 10, "joint_draws": 4, "num_center_components": 0, "solver": "box_cdqp"}
MEASURES = ("capacity", "radius", "dimension", "center_correlation", "joint_capacity", "participation_ratio")


def labels_of(num_examples, num_classes=3):
    return np.repeat(np.arange(num_classes), num_examples)


def activations(num_examples, seed=0, spread=1.0):
    """Layers "early" and "late" of classes whose centers are always the same."""
    centers = np.random.default_rng(99).normal(size=(3, 30))
    labels, rng = labels_of(num_examples), np.random.default_rng(seed)
    early = centers[labels] + spread * rng.normal(size=(len(labels), 30))
    return {"early": early, "late": 2 * centers[labels] + spread * rng.normal(size=(len(labels), 30))}


def measured(num_examples, repeats=4, seed=0, **options):
    return analyze(activations(num_examples, seed), labels_of(num_examples), repeats=repeats, **OPTIONS | options)
