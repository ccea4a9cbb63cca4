"""Data that benchmarks make up: images with random labels, and points of manifolds."""

import numpy as np

from memorize_jax.data import PermutedLabels, Split, Splits


def invent_data(shape: tuple[int, ...], num_classes: int, num: int) -> tuple[Splits, PermutedLabels]:
    """Random images with random labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(num, *shape), dtype=np.uint8)
    labels = rng.integers(0, num_classes, size=num).astype(np.int32)
    split = Split(images, labels, num_classes, "random")
    return Splits(split, split), PermutedLabels(labels, labels, np.zeros(num, bool))


def invent_points(kind: str, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Draws points [P, M, N], float32: "random" (the published README's example) or "classes" (shared structure)."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal(shape, np.float32)
    if kind == "random":
        return points
    num_manifolds, _, num_features = shape
    decay = np.arange(1, num_features + 1, dtype=np.float32) ** -0.5
    shared = rng.standard_normal((num_manifolds, 3)) @ rng.standard_normal((3, num_features))
    centers = (rng.standard_normal((num_manifolds, num_features)) + shared).astype(np.float32)
    return points * (decay / np.sqrt(np.mean(decay**2))) + centers[:, None]
