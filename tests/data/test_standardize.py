import numpy as np
import pytest

from memorize_jax.data import channel_statistics, standardize


def random_images(seed=0, num=50):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (num, 6, 5, 3), dtype=np.uint8)
    images[..., 1] //= 16
    return images


def test_statistics_are_those_of_numpy_in_float64():
    images = random_images()
    found = channel_statistics(images)
    np.testing.assert_allclose(found.mean, images.mean(axis=(0, 1, 2), dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(found.deviation, images.std(axis=(0, 1, 2), dtype=np.float64), rtol=1e-6)


def test_standardised_images_have_mean_0_and_deviation_1_per_channel():
    images = random_images()
    found = np.asarray(standardize(images, channel_statistics(images)), np.float64)
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(0, 1, 2)), 1, rtol=1e-5)


def test_test_images_are_standardised_with_the_statistics_of_training():
    train, test = random_images(0), random_images(1, num=4)
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    found = standardize(test, channel_statistics(train))
    np.testing.assert_allclose(found, (test - mean) / deviation, atol=1e-5)
    assert found.dtype == np.float32


def test_a_constant_channel_becomes_0():
    images = random_images()
    images[..., 2] = 77
    statistics = channel_statistics(images)
    assert statistics.deviation[2] == 1
    np.testing.assert_array_equal(standardize(images, statistics)[..., 2], 0)


@pytest.mark.parametrize("shape", [(10, 7), (10, 4, 4, 3)])
def test_float_data_are_left_as_they_are(shape):
    points = np.random.default_rng(0).normal(3, 5, shape).astype(np.float32)
    np.testing.assert_array_equal(standardize(points, channel_statistics(points)), points)


def test_float64_stays_float64(x64):
    points = np.random.default_rng(0).normal(size=(10, 7))
    found = standardize(points, channel_statistics(points))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, points)


def test_symmetric_scaling_is_the_same_for_all_images():
    images = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(standardize(images, channel_statistics(images, "symmetric")).ravel(), [-1, -0.6, 1])


def test_an_unknown_scaling_is_refused():
    with pytest.raises(ValueError, match="expected scaling to be one of channels, symmetric, got 'unit'"):
        channel_statistics(np.zeros((1, 1, 1, 1), np.uint8), "unit")
