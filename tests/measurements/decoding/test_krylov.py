"""Leading directions on the host: against a full decomposition in float64, degenerate classes, both routes."""

import numpy as np
import pytest

from memorize_jax.measurements.decoding import krylov, spectra, subspaces
from tests.measurements.decoding.test_subspaces import LABELS, OTHERS, POINTS, D, P, clouds, fit

DECAY = np.arange(1, 301) ** -1.0


def decaying(n, num_features, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return (0.2 * rng.normal(size=(n, num_features)) * DECAY[:num_features]).astype(dtype)


def exceeding(share):
    return lambda squares, total: int(np.sum(np.cumsum(squares) / total <= share)) + 1


def directions(points, count):
    ((squares, found, total),) = krylov.class_directions(points, np.zeros(len(points), int), 1, count)
    return squares, found, total


@pytest.fixture
def iterating(monkeypatch):
    """Counts how often a full decomposition was needed all the same."""
    decompose, calls = krylov._decompose, []
    monkeypatch.setattr(krylov, "FULL_SIZE", 60)
    monkeypatch.setattr(krylov, "SAMPLE", 50)
    monkeypatch.setattr(krylov, "_decompose", lambda rows: calls.append(1) or decompose(rows))
    return calls


@pytest.mark.parametrize("shape", [(900, 300), (250, 300)])  # more examples than features, and fewer
@pytest.mark.parametrize("count", [exceeding(0.9), exceeding(0.96), lambda *_: 7])
def test_iterating_finds_what_a_singular_value_decomposition_finds(iterating, shape, count):
    points = decaying(*shape)
    squares, found, total = directions(points, count)
    assert not iterating
    _, sizes, right = np.linalg.svd(points.astype(np.float64) / np.abs(points).max(), full_matrices=False)
    number = count(sizes**2, np.sum(sizes**2))
    assert len(found) == number
    assert total == pytest.approx(np.sum(sizes**2), rel=1e-5)
    np.testing.assert_allclose(squares, sizes[:number] ** 2, rtol=5e-3)
    np.testing.assert_allclose(found @ found.T, np.eye(number), atol=2e-5)
    # What the directions miss of the span, weighed by what lies there.
    missed = right[:number] - right[:number] @ found.T @ found
    assert np.sum((sizes[:number, None] * missed) ** 2) < 1e-4 * total


def test_iterating_in_float64(x64, iterating):
    points = decaying(400, 200, dtype=np.float64)
    squares, found, _ = directions(points, exceeding(0.9))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-12)
    np.testing.assert_allclose(np.sum((points / np.abs(points).max() @ found.T) ** 2, axis=0), squares, rtol=1e-9)


def test_what_would_take_too_wide_a_space_is_decomposed(iterating):
    points = np.random.default_rng(1).normal(size=(300, 80)).astype(np.float32)
    _, found, _ = directions(points, exceeding(0.9))
    assert iterating
    sizes = np.linalg.svd(points.astype(np.float64), compute_uv=False)
    assert len(found) == exceeding(0.9)(sizes**2, np.sum(sizes**2))


@pytest.mark.parametrize("rank", [1, 5])
def test_a_class_that_spans_little_gets_what_it_spans(iterating, rank):
    # Most features are zero, as of units that never fire: the space is exhausted at once.
    points = np.zeros((200, 150), np.float32)
    points[:, :rank] = np.random.default_rng(2).normal(size=(200, rank))
    squares, found, total = directions(points, lambda *_: 20)
    assert len(found) == len(squares) == rank
    assert np.sum(squares) == pytest.approx(total, rel=1e-5)
    np.testing.assert_allclose(found.T @ found, np.diag(np.arange(150) < rank), atol=1e-5)


def far_from_the_origin(points):
    return points + np.float32(1000)


def one_feature_in_a_smaller_unit(points):
    return points * np.where(np.arange(points.shape[1]) == 3, np.float32(1e4), np.float32(1))


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("changed", [far_from_the_origin, one_feature_in_a_smaller_unit])
@pytest.mark.parametrize("shape", [(120, 40), (40, 120), (1100, 1050)])
def test_directions_weaker_than_the_rounding_of_products_are_found(changed, shape, on_device):
    points = changed(np.random.default_rng(3).normal(size=shape).astype(np.float32))
    find = spectra.directions_on_device if on_device else krylov.class_directions
    ((squares, found, _),) = find(points, np.zeros(len(points), int), 1, lambda *_: 12)
    _, sizes, right = np.linalg.svd(points.astype(np.float64) / np.abs(points).max(), full_matrices=False)
    assert len(found) == 12
    np.testing.assert_allclose(squares, sizes[:12] ** 2, rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(found * right[:12], axis=1)), 1, atol=1e-3)


@pytest.mark.parametrize("on_device", [False, True])
def test_a_class_of_tiny_numbers_has_directions_all_the_same(monkeypatch, on_device):
    if on_device:
        monkeypatch.setattr(subspaces, "class_directions", subspaces.directions_on_device)
    points = POINTS * np.where(LABELS == 1, np.float32(1e-24), np.float32(1))[:, None]
    found, usual = fit(points, num_components=3), fit(POINTS, num_components=3)
    assert found.num_components.tolist() == [3] * P
    np.testing.assert_allclose(subspaces.scores(found, OTHERS), subspaces.scores(usual, OTHERS), atol=1e-5)


@pytest.mark.parametrize("rule", [{"variance": 0.9}, {"num_components": 4}])
@pytest.mark.parametrize("num_features", [D, 70])
def test_processors_and_accelerators_give_the_same(monkeypatch, rule, num_features):
    points, labels = (POINTS, LABELS) if num_features == D else clouds(num_features=num_features)
    others = OTHERS if num_features == D else clouds(num_features=num_features, seed=1)[0]
    # A class without examples, one of zeros, one of rank 2 and one in full.
    points = np.where((labels == 0)[:, None], 0, points)
    points[labels == 1] = points[labels == 1] @ np.linalg.qr(points[labels == 1][:2].T)[0] @ points[labels == 1][:2]
    expected = fit(points, labels, P + 1, **rule)
    scored = subspaces.scores(expected, others)
    monkeypatch.setattr(subspaces, "class_directions", subspaces.directions_on_device)
    found = fit(points, labels, P + 1, **rule)
    assert found.num_components.tolist() == expected.num_components.tolist()
    assert found.num_components[0] == found.num_components[P] == 0
    np.testing.assert_allclose(subspaces.scores(found, others), scored, atol=1e-4)
