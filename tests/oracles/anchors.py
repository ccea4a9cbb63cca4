"""Anchors, capacity, radius and dimension one draw at a time, with SciPy's non-negative least squares."""

import numpy as np
from scipy.optimize import nnls


def project(frame, draw, kappa=0.0):
    """Nearest v to the draw with S_i . v <= -kappa, and the multipliers.

    The dual is a least-squares problem: ||S' a - t||^2 for kappa = 0, else ||F a - F'^+ (S t + kappa)||^2 with
    F'F = S S'.
    """
    if kappa == 0:
        multipliers, _ = nnls(frame.T, draw, maxiter=10_000)
    else:
        gram = frame @ frame.T
        values, vectors = np.linalg.eigh(gram)
        kept = values > values[-1] * 1e-13
        factor = (vectors[:, kept] * np.sqrt(values[kept])).T
        target = (vectors[:, kept] / np.sqrt(values[kept])).T @ (frame @ draw + kappa)
        multipliers, _ = nnls(factor, target, maxiter=10_000)
    return draw - multipliers @ frame, multipliers


def anchor(frame, draw, multipliers):
    """Weighted mean of the examples, or the example nearest to the draw's direction for an interior draw."""
    if multipliers.sum() > 0:
        return multipliers @ frame / multipliers.sum()
    return frame[np.argmax(frame @ draw)]


def capacity_radius_dimension(frame, draws, kappa=0.0, num_directions=None):
    """Capacity, radius, dimension as the paper's appendix A.1 defines them."""
    inverse, anchors, cosines = [], [], []
    for draw in draws:
        _, multipliers = project(frame, draw, kappa)
        point = anchor(frame, draw, multipliers)
        inverse.append(max(draw @ point + kappa, 0) ** 2 / (point @ point))
        anchors.append(point[:-1])
        norms = np.linalg.norm(draw[:-1]) * np.linalg.norm(point[:-1])
        cosines.append(draw[:-1] @ point[:-1] / norms if norms > 0 else 0.0)
    anchors = np.array(anchors)
    spread = np.sum((anchors - anchors.mean(axis=0)) ** 2, axis=1)
    directions = frame.shape[1] - 1 if num_directions is None else num_directions
    return 1 / np.mean(inverse), np.sqrt(np.mean(spread)), directions * np.mean(cosines) ** 2
