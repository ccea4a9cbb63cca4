"""Capacity of one layer's manifolds, draw by draw in float64, by SciPy's non-negative least squares."""

import numpy as np
from scipy.optimize import nnls


def joint_capacity(
    points: np.ndarray, num_classes: int, num_draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Capacity of classes as they lie, P' over the mean ||v||^2, and its standard error.

    v is the projection of a Gaussian vector on the cone of all points, each signed by its class's label; a draw takes
    `num_classes` classes at random, half of them with either label.

    Args:
      points: [P, M, N].
    """
    own = points - points.mean(axis=(0, 1))
    squares = []
    for _ in range(num_draws):
        classes = rng.permutation(len(own))[:num_classes]
        signs = np.where(np.arange(num_classes) % 2 == 0, 1, -1) * rng.choice([-1, 1])
        cone = (signs[:, None, None] * own[classes]).reshape(-1, own.shape[-1])
        cone = cone / np.linalg.norm(cone, axis=1, keepdims=True)
        draw = rng.standard_normal(own.shape[-1])
        # A projection stays in the span of the points, where a QR has as many coordinates as there are points.
        if own.shape[-1] > len(cone):
            span, coordinates = np.linalg.qr(cone.T)
            cone, draw = coordinates.T, span.T @ draw
        weights, _ = nnls(cone.T, draw, maxiter=50 * len(cone))
        squares.append(np.sum((weights @ cone) ** 2))
    mean, error = np.mean(squares), np.std(squares, ddof=1) / np.sqrt(num_draws)
    return num_classes / mean, num_classes / mean**2 * error


def mean_field_capacity(
    points: np.ndarray, removed: np.ndarray, num_draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Capacity of manifolds that each have an orientation of their own (A.1.1), and its standard error.

    1 / capacity is the mean, over manifolds and Gaussian vectors, of the squared distance to S_i . v <= 0, S the examples
    about their center in units of the center's norm, with a last entry of 1.

    Args:
      points: [P, M, N].
      removed: [K, N], orthonormal directions that are projected out first.
    """
    own = points - points.mean(axis=(0, 1))
    own = own - own @ removed.T @ removed
    distances = np.zeros((len(own), num_draws))
    for mu, examples in enumerate(own):
        center = examples.mean(axis=0)
        offsets = (examples - center) / np.linalg.norm(center)
        _, values, axes = np.linalg.svd(offsets, full_matrices=False)
        kept = values > 1e-10 * values[0]
        frame = np.hstack([offsets @ axes[kept].T, np.ones((len(offsets), 1))])
        for draw in range(num_draws):
            target = rng.standard_normal(frame.shape[1])
            weights, _ = nnls(frame.T, target, maxiter=10_000)
            distances[mu, draw] = np.sum((weights @ frame) ** 2)
    inverse = distances.mean()
    error = np.sqrt(np.mean(distances.var(axis=1, ddof=1)) / distances.size)
    return 1 / inverse, error / inverse**2
