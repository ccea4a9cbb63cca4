import numpy as np
import pytest
from scipy import stats

from memorize_jax import data

CENTERS = np.kron(np.eye(40)[:3], [[1], [-1]])


def small_spheres(**options):
    return data.make_spheres(
        **{"num_classes": 6, "num_features": 40, "sphere_dimension": 8, "train_per_class": 60, **options}
    )


@pytest.mark.parametrize("span", ["with_center", "random"])
def test_points_are_at_the_radius_from_their_center_and_span_the_dimension(span):
    for split in small_spheres(radius=5.0, span=span):
        offsets = split.images - CENTERS[split.labels]
        np.testing.assert_allclose(np.linalg.norm(offsets, axis=1), 5.0, rtol=1e-5)
        for label in range(6):
            assert np.linalg.matrix_rank(offsets[split.labels == label], tol=1e-3) == 8


def test_centers_are_antipodal_pairs_orthogonal_to_all_others():
    # With so many points the mean of a class is its center.
    train = small_spheres(radius=1.0, train_per_class=20000).train
    means = np.stack([train.images[train.labels == label].mean(axis=0) for label in range(6)])
    np.testing.assert_allclose(means @ means.T, CENTERS @ CENTERS.T, atol=0.02)


@pytest.mark.parametrize(
    ("span", "expected", "tolerance"),
    # A coordinate u of a uniform point on the unit sphere in d dimensions: u^2 ~ Beta(1/2, (d-1)/2); right if 5u > -1.
    [("with_center", 0.5 + 0.5 * stats.beta.cdf(1 / 25, 0.5, 29 / 2), 0.015), ("random", 1, 1e-4)],
)
def test_the_shared_axis_separates_a_pair_only_partly_unless_all_directions_are_random(span, expected, tolerance):
    train = data.make_spheres(num_classes=2, train_per_class=5000, test_per_class=1, span=span).train
    assert np.mean((train.images[:, 0] > 0) == (train.labels == 0)) == pytest.approx(expected, abs=tolerance)
    assert span == "random" or expected == pytest.approx(0.86, abs=0.005)


def test_spheres_are_the_same_for_a_seed_and_training_and_test_points_differ():
    first, again, other = small_spheres(seed=1), small_spheres(seed=1), small_spheres(seed=2)
    np.testing.assert_array_equal(first.train.images, again.train.images)
    assert np.any(first.train.images != other.train.images)
    assert not {row.tobytes() for row in first.train.images} & {row.tobytes() for row in first.test.images}


def test_spheres_have_the_stated_sizes_in_order_of_class():
    for splits, classes, features, sizes in (
        (small_spheres(train_per_class=5, test_per_class=3), 6, 40, (5, 3)),
        (data.load("spheres_small"), 20, 128, (200, 50)),
    ):
        for split, size in zip(splits, sizes, strict=True):
            np.testing.assert_array_equal(split.labels, np.repeat(np.arange(classes), size))
            assert split.images.shape == (classes * size, features)
            assert (split.images.dtype, split.num_classes) == (np.float32, classes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 5}, r"expected an even number of classes .*, got 5"),
        ({"num_classes": 0}, r"expected an even number of classes .*, got 0"),
        ({"span": "around"}, "expected span to be 'with_center' or 'random', got 'around'"),
        ({"num_features": 7}, "expected at least 8 features for 6 classes and 8 dimensions, got 7"),
        ({"num_classes": 100}, "expected at least 50 features for 100 classes"),
    ],
)
def test_impossible_spheres_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        small_spheres(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sphere_dimension": 0}, "expected sphere_dimension >= 1, got 0"),
        ({"radius": float("nan")}, "expected radius >= 0, got nan"),
        ({"train_per_class": 0}, "expected train_per_class >= 1, got 0"),
    ],
)
def test_wrong_sizes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        small_spheres(**options)
