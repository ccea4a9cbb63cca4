"""The minimum-angle subspace classifier as its authors compute it: mirrored points, covariance, angles; float64."""

import numpy as np


def fit(points, labels, num_classes, *, variance=None, num_components=None):
    """Orthonormal rows per class, [k, d]; an empty list entry for an empty class."""
    bases = []
    for label in range(num_classes):
        own = points[labels == label].astype(np.float64)
        if not len(own):
            bases.append(np.zeros((0, points.shape[1])))
            continue
        values, vectors = np.linalg.eigh(np.cov(np.concatenate([own, -own]).T))
        values, vectors = values[::-1], vectors[:, ::-1]
        number = num_components or int(np.sum(np.cumsum(values) / np.sum(values) <= variance)) + 1
        bases.append(vectors[:, :number].T)
    return bases


def angles(bases, points):
    """Angle between every point and its projection on every subspace, [n, P]."""
    columns = []
    for basis in bases:
        projected = points.astype(np.float64) @ basis.T @ basis
        lengths = np.linalg.norm(points, axis=1) * np.linalg.norm(projected, axis=1)
        columns.append(np.arccos(np.clip(np.sum(points * projected, axis=1) / lengths, -1, 1)))
    return np.stack(columns, axis=1)
