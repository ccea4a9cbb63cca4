"""What the threshold of `permuted_at_lower_bound` rests on, by the oracles."""

import numpy as np
import pytest
from scipy.optimize import nnls

from tests.oracles.anchors import capacity_radius_dimension


def multiple_of_bound(points, rng):
    """Mean capacity of manifolds [P, M, N] in units of 2/M, by the oracle."""
    _, num_examples, _ = points.shape
    capacities = []
    for own in points:
        center = own.mean(axis=0)
        axes, sizes, _ = np.linalg.svd((own - center) / np.linalg.norm(center), full_matrices=False)
        frame = np.column_stack([axes * sizes, np.ones(num_examples)])
        draws = rng.normal(size=(100, num_examples + 1))
        capacities.append(capacity_radius_dimension(frame, draws)[0])
    return num_examples / 2 / np.mean(1 / np.array(capacities))


def multiple_of_bound_by_cones(points, rng, num_draws=40):
    """P / E ||v||^2 in units of 2/M, v the projection of a draw on the cone of all signed points."""
    num_classes, num_examples, num_features = points.shape
    flat, lengths = points.reshape(-1, num_features), []
    for _ in range(num_draws):
        labels = rng.permutation(np.repeat([-1, 1], num_classes // 2))
        cone, draw = (np.repeat(labels, num_examples)[:, None] * flat).T, rng.normal(size=num_features)
        lengths.append(np.sum(draw**2) - nnls(cone, draw)[1] ** 2)
    return num_classes * num_examples / 2 / np.mean(lengths)


@pytest.mark.parametrize(("num_true", "mean_field"), [(10, 1.30), (80, 1.02)])
def test_mean_field_capacity_lies_above_the_bound_where_true_classes_are_few(num_true, mean_field):
    """Random labels on tight true classes, as in late layers: a hyperplane separates no more than the bound.

    As the reason of the threshold of permuted_at_lower_bound says.
    """
    rng = np.random.default_rng(0)
    num_classes, num_examples, num_features = 10, 20, 200
    true = rng.permutation(np.arange(num_classes * num_examples) % num_true)
    points = rng.normal(size=(num_true, num_features))[true] + 0.3 * rng.normal(size=(len(true), num_features))
    points = (points - points.mean(axis=0)).reshape(num_classes, num_examples, num_features)
    assert multiple_of_bound(points, rng) == pytest.approx(mean_field, abs=0.06)
    assert multiple_of_bound_by_cones(points, rng) == pytest.approx(1.01, abs=0.08)
