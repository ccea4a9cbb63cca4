"""Joint geometry draw by draw in float64: SciPy's non-negative least squares and pseudo-inverses, features and all."""

import numpy as np
from scipy.optimize import nnls


def spheres(num_manifolds, num_examples, num_features, dimension, radius, *, seed=0, correlation=0.0):
    """Points on spheres of random centers and axes, with a little noise; [P, M, N] float64."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((num_manifolds, num_features)) / np.sqrt(num_features)
    apart = np.abs(np.subtract.outer(np.arange(num_manifolds), np.arange(num_manifolds)))
    centers = np.linalg.cholesky(float(correlation) ** apart) @ centers
    found = []
    for center in centers:
        axes = rng.standard_normal((dimension, num_features)) / np.sqrt(num_features)
        offsets = rng.standard_normal((num_examples, dimension)) @ axes
        offsets /= np.linalg.norm(offsets, axis=1, keepdims=True)
        noise = 0.01 * rng.standard_normal((num_examples, num_features)) / np.sqrt(num_features)
        found.append(center + radius * offsets + noise)
    return np.array(found)


def gaussian_vectors(points, draws):
    """The t [n, N] in the span of the points [k, N] whose products with points of unit length are C^(1/2) g."""
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(units @ units.T)
    kept = values > 1e-12 * values[-1]
    # X' C^(-1/2) g has the products C C^(-1/2) g.
    inverse = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    return draws @ inverse @ units


def joint_geometry(points, labels, vectors):
    """Measures every draw by itself.

    Args:
      points: list of P arrays [M_i, N], about the origin that is wanted.
      labels: [n, P] of -1, 0 and 1; 0 leaves a class out.
      vectors: [n, N].

    Returns:
      dict: squares [n], shares [n, P], radius, dimension, utility, capacity.
    """
    sizes = [len(own) for own in points]
    flat = np.concatenate(points)
    owner = np.repeat(np.arange(len(points)), sizes)
    weights = np.zeros((len(labels), len(flat)))
    for own_weights, own_labels, vector in zip(weights, labels, vectors, strict=True):
        signs = own_labels[owner]
        there = signs != 0
        own_weights[there] = nnls((flat[there] * signs[there, None]).T, vector, maxiter=20 * len(flat))[0]
    signs = labels[:, owner]
    projections = (weights * signs) @ flat
    products = vectors @ flat.T
    classes = np.eye(len(points))[owner]
    shares = (weights * signs * products) @ classes
    mass = weights @ classes
    anchors = np.zeros((len(labels), len(points), flat.shape[1]))
    for mu in range(len(points)):
        chosen = mass[:, mu] > 1e-9 * mass.max(axis=1)
        own = weights[:, owner == mu] @ flat[owner == mu]
        anchors[chosen, mu] = own[chosen] / mass[chosen, mu, None]
    taken = (labels != 0).sum(axis=0)
    mean = anchors.sum(axis=0) / taken[:, None]
    axes_term, shared_term = [], []
    for own, own_labels, vector in zip(anchors, labels, vectors, strict=True):
        here = own_labels != 0
        axes, centers = (own - mean)[here], mean[here]
        onto = axes @ vector
        axes_term.append(onto @ np.linalg.pinv(axes @ axes.T, rcond=1e-10) @ onto)
        shared_term.append(onto @ np.linalg.pinv(axes @ axes.T + centers @ centers.T, rcond=1e-10) @ onto)
    squares = np.sum(projections**2, axis=1)
    count = (labels != 0).sum(axis=1).mean()
    axes_mean, shared_mean = np.mean(axes_term), np.mean(shared_term)
    return {
        "squares": squares,
        "shares": shares,
        "capacity": count / squares.mean(),
        "radius": np.sqrt(shared_mean / (axes_mean - shared_mean)),
        "dimension": axes_mean / count,
        "utility": shared_mean / squares.mean(),
    }
