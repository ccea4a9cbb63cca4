import numpy as np
import pytest

from memorize_jax.data import channel_statistics, standardize


def random_images(seed, num=50):
    images = np.random.default_rng(seed).integers(0, 256, (num, 6, 5, 3), dtype=np.uint8)
    images[..., 1] //= 16
    return images


def test_images_are_standardized_with_the_statistics_of_training_in_float64():
    train, test = random_images(0), random_images(1, num=4)
    mean, deviation = (function(axis=(0, 1, 2), dtype=np.float64) for function in (train.mean, train.std))
    statistics = channel_statistics(train)
    np.testing.assert_allclose(statistics.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(statistics.deviation, deviation, rtol=1e-6)
    for images in (train, test):
        found = standardize(images, statistics)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, (images - mean) / deviation, atol=1e-5)
    # A constant channel becomes 0.
    images = train.copy()
    images[..., 2] = 77
    statistics = channel_statistics(images)
    assert statistics.deviation[2] == 1
    np.testing.assert_array_equal(standardize(images, statistics)[..., 2], 0)


@pytest.mark.parametrize("shape", [(10, 7), (10, 4, 4, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_data_are_left_as_they_are(shape, dtype, x64):
    points = np.random.default_rng(0).normal(3, 5, shape).astype(dtype)
    found = standardize(points, channel_statistics(points))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, points)


def test_symmetric_scaling_is_the_same_for_all_images_and_an_unknown_one_is_refused():
    images = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(standardize(images, channel_statistics(images, "symmetric")).ravel(), [-1, -0.6, 1])
    with pytest.raises(ValueError, match="expected scaling to be one of channels, symmetric, got 'unit'"):
        channel_statistics(np.zeros((1, 1, 1, 1), np.uint8), "unit")
