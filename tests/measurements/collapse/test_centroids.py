"""Drift and neural collapse of arrays, against brute force with whole matrices of features."""

import numpy as np
import pytest

from memorize_jax.measurements.collapse.centroids import (
    angle_deviation,
    closest_pair,
    duality_gap,
    find_centroids,
    norm_spread,
    within_axes,
)
from memorize_jax.measurements.collapse.drift import about_center, drifts, nearest
from memorize_jax.measurements.collapse.means import COINCIDE, EMPTY_CLASS, NOT_FINITE, class_means

RNG = np.random.default_rng(0)


def centroids_of(points, labels):
    return np.stack([points[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def nc1(points, labels):
    means = centroids_of(points, labels)
    within = within_axes(find_centroids(means))
    return ((points @ within.axes.T - within.places[labels]) ** 2).sum(axis=1).mean(), within.rank


def brute_nc1(points, labels):
    """With matrices of features; the cut of the pseudo-inverse is on the same eigenvalues."""
    means = centroids_of(points, labels)
    offsets = means - means.mean(axis=0)
    within = np.cov((points - means[labels]).T, bias=True)
    return np.trace(within @ np.linalg.pinv(offsets.T @ offsets / len(means), rcond=1e-3, hermitian=True)) / len(means)


def sample(classes=4, each=15, features=9):
    labels = np.repeat(np.arange(classes), each)
    points = RNG.normal(size=(classes, features))[labels] + 0.4 * RNG.normal(size=(len(labels), features)) + 5
    return points, labels


@pytest.mark.parametrize("features", [3, 9, 40])
def test_nc1_is_the_trace_of_matrices_that_are_never_made(features):
    points, labels = sample(features=features)
    found, rank = nc1(points, labels)
    assert (found, rank) == (pytest.approx(brute_nc1(points, labels), rel=1e-9), 3)
    turn = np.linalg.qr(RNG.normal(size=(features, features)))[0]
    assert nc1(1e-3 * points @ turn + 7, labels)[0] == pytest.approx(found, rel=1e-9)


def test_directions_in_which_classes_hardly_differ_are_cut():
    means = np.array([[0, 1.0, 0], [0, -1.0, 0], [0.001, 0, 1]])
    assert within_axes(find_centroids(means)).rank == 2
    means[2] = [0.001, 0, 0]
    axes = within_axes(find_centroids(means))
    assert axes.rank == 1
    assert (axes.axes == 0).all(axis=1).sum() == 2
    # What varies along the cut direction does not count.
    np.testing.assert_allclose(axes.axes[:, 0], 0, atol=1e-3)


def test_complete_collapse_is_zero_by_every_measure():
    simplex = np.eye(5) - 1 / 5
    points, labels = np.repeat(3 * simplex, 7, axis=0) + 2, np.repeat(np.arange(5), 7)
    centroids = find_centroids(centroids_of(points, labels))
    assert nc1(points, labels) == (pytest.approx(0, abs=1e-25), 4)
    assert norm_spread(centroids) == pytest.approx(0, abs=1e-12)
    assert angle_deviation(centroids) == pytest.approx(0, abs=1e-12)
    assert duality_gap(0.1 * simplex.T, centroids) == pytest.approx(0, abs=1e-12)
    assert duality_gap(-simplex.T, centroids) == pytest.approx(2)
    assert closest_pair(centroids) == pytest.approx(18)


def test_norms_angles_and_weights_by_hand():
    centroids = find_centroids(np.array([[3.0, 0.0], [-1.0, 0.0], [-2.0, 0.0]]))
    assert norm_spread(centroids) == pytest.approx(np.std([3, 1, 2]) / 2)
    # Cosines -1, -1 and 1 of the three pairs, and -1/2 of a simplex.
    assert angle_deviation(centroids) == pytest.approx((0.5 + 0.5 + 1.5) / 3)
    kernel = RNG.normal(size=(2, 3))
    both = kernel.T / np.linalg.norm(kernel), centroids.offsets / np.linalg.norm(centroids.offsets)
    assert duality_gap(kernel, centroids) == pytest.approx(np.linalg.norm(both[0] - both[1]))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_drift_is_the_planted_fraction(offset):
    means = RNG.normal(size=(3, 6)) + offset
    centroids = find_centroids(means)
    fraction = RNG.uniform(-0.5, 1.5, 40)
    true = RNG.integers(0, 3, 40)
    assigned = (true + RNG.integers(1, 3, 40)) % 3
    line = means[assigned] - means[true]
    aside = RNG.normal(size=line.shape)
    aside -= ((aside * line).sum(axis=1) / (line**2).sum(axis=1))[:, None] * line
    points = means[true] + fraction[:, None] * line + 3 * aside
    products = about_center(centroids, points @ centroids.offsets.T)
    np.testing.assert_allclose(drifts(centroids, products, true, assigned), fraction, atol=1e-7)
    distances = ((points[:, None] - means) ** 2).sum(axis=2)
    assert (nearest(centroids, products) == distances.argmin(axis=1)).all()


def test_gaussian_classes_drift_by_as_much_as_they_were_moved():
    means = np.array([[2.0, 0, 0, 0], [0, 2.0, 0, 0]])
    true = np.repeat([0, 1], 4000)
    points = means[true] + 0.3 * (means[1 - true] - means[true]) + RNG.normal(size=(8000, 4))
    centroids = find_centroids(means)
    found = drifts(centroids, about_center(centroids, points @ centroids.offsets.T), true, 1 - true)
    assert found.mean() == pytest.approx(0.3, abs=3 * found.std() / 8000**0.5)
    assert found.std() == pytest.approx(1 / 8**0.5, rel=0.05)


def test_means_that_cannot_be_used_say_why():
    sums, counts = RNG.normal(size=(3, 4)), np.array([2, 2, 2])
    assert class_means(sums, counts, 1.0).status == 0
    assert class_means(np.where(sums == sums[0, 0], np.nan, sums), counts, 1.0).status == NOT_FINITE
    assert class_means(sums, counts * [1, 0, 1], 1.0).status == EMPTY_CLASS
    same = class_means(np.ones((3, 4)) + 1e-5 * sums, counts, 1.0)
    assert (same.status, same.within, same.is_spread, same.is_apart) == (COINCIDE, None, False, False)
    two = class_means(np.array([[1.0, 0], [1.0, 0], [0, 1.0]]), counts, 1.0)
    assert (two.status, two.is_spread, two.is_apart) == (0, True, False)
    line = class_means(np.array([[-1.0, 0], [0, 0], [1.0, 0]]), counts, 1.0)
    assert (line.status, line.is_spread, line.is_apart, line.within is None) == (0, False, True, False)
