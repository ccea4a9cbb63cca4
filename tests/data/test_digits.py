import numpy as np
from sklearn import datasets

from memorize_jax import data


def rows(images):
    return sorted(image.astype(np.uint8).tobytes() for image in images)


def test_digits_split_every_image_once_with_a_fifth_of_every_class_in_test():
    train, test = data.load("digits")
    again = data.load("digits")
    np.testing.assert_array_equal(again.test.images, test.images)
    np.testing.assert_array_equal(again.train.labels, train.labels)
    assert rows([*train.images, *test.images]) == rows(datasets.load_digits().images)
    assert not set(rows(train.images)) & set(rows(test.images))
    counts = [np.bincount(split.labels, minlength=10) for split in (train, test)]
    np.testing.assert_array_equal(counts[1], sum(counts) // 5)
    for split in (train, test):
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split.labels), 8, 8, 1)
        assert split.images.max() == 16
        assert (split.num_classes, split.name) == (10, "digits")
