"""Data that benchmarks make up: images with random labels, and points of manifolds."""

import numpy as np

from memorize_jax.data import PermutedLabels, Split, Splits

KINDS_OF_CENTERS = ("random", "shared", "decaying", "clusters", "low rank", "rectified", "unequal")


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


def invent_centers(kind: str, num_centers: int, seed: int = 0) -> np.ndarray:
    """Draws centers [P, 400], float64, of one of `KINDS_OF_CENTERS`."""
    rng = np.random.default_rng([seed, num_centers, KINDS_OF_CENTERS.index(kind)])
    normal, num_features = rng.standard_normal, 400
    own = normal((num_centers, num_features))
    if kind == "random":
        return own
    if kind == "shared":
        return own + 2 * normal((num_centers, 3)) @ normal((3, num_features))
    if kind == "decaying":
        return own * np.arange(1, num_features + 1) ** -0.5
    if kind == "clusters":
        return own + 2 * normal((5, num_features))[rng.integers(5, size=num_centers)]
    if kind == "low rank":
        rank = max(3, num_centers // 3)
        return own + 3 * normal((num_centers, rank)) @ normal((rank, num_features)) / rank**0.5
    if kind == "rectified":
        # What a random layer makes of inputs with few directions.
        return np.maximum(normal((num_centers, 20)) @ normal((20, num_features)) + 2 * normal(num_features), 0)
    return own * np.exp(normal((num_centers, 1))) + normal((num_centers, 2)) @ normal((2, num_features))
