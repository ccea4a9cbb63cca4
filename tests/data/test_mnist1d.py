import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.data import mnist1d
from tests.oracles import reference


@pytest.mark.parametrize("name", ["mnist1d", "mnist1d_12000"])
def test_sequences_equal_those_of_the_package(name):
    stored = reference.mnist1d(name)
    sequences, labels = mnist1d.make_sequences(int(stored["sizes"].sum()))
    assert sequences.dtype == np.float64
    np.testing.assert_array_equal(labels, stored["labels"])
    np.testing.assert_allclose(sequences[stored["rows"]], stored["examples"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose([sequences.mean(), sequences.std()], [0, 1], atol=1e-12)
    parts = data.load(name)
    assert [len(part.labels) for part in parts] == stored["sizes"].tolist()
    np.testing.assert_array_equal(np.concatenate([part.images for part in parts]), sequences.astype(np.float32))
    np.testing.assert_array_equal(np.concatenate([part.labels for part in parts]), labels)
    for part in parts:
        assert (part.images.shape[1:], part.images.dtype, part.labels.dtype) == ((40,), np.float32, np.int32)
        assert (part.num_classes, part.name) == (10, name)


def test_all_classes_are_as_large_and_in_training_and_test():
    train, test = data.load("mnist1d")
    counts = [np.bincount(split.labels, minlength=10) for split in (train, test)]
    np.testing.assert_array_equal(sum(counts), 500)
    assert counts[1].min() > 50
    assert not {row.tobytes() for row in train.images} & {row.tobytes() for row in test.images}


def test_sequences_are_the_same_for_a_seed_and_numpys_global_state_stays():
    np.random.seed(7)
    expected = np.random.rand(3)
    np.random.seed(7)
    first, again, other = (mnist1d.make_sequences(30, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(np.random.rand(3), expected)
    np.testing.assert_array_equal(first, again)
    assert np.all(first != other)


def test_stretched_templates_keep_the_digits_heights_and_end_in_zeros():
    dilated = mnist1d.dilated_templates()
    assert dilated.shape == (10, 25, 72)
    standard = mnist1d.TEMPLATES - mnist1d.TEMPLATES.mean(1, keepdims=True)
    standard /= standard.std(1, keepdims=True)
    # Padded to the full length nothing is stretched.
    np.testing.assert_allclose(6 * dilated[:, -1, :12], standard - standard[:, :1], atol=1e-6)
    assert not dilated[:, -1, 12:].any()
    # The fewer zeros, the longer the digit: 12 of 48 positions are 18 of 72, and the step to zero is one more.
    lengths = (dilated != 0).sum(axis=2)
    assert (np.diff(lengths, axis=1) <= 0).all()
    assert set(lengths[:, 0]) == {19}


@pytest.mark.parametrize("number", [0, 5, 15, -10])
def test_classes_that_would_not_be_as_large_are_refused(number):
    with pytest.raises(ValueError, match=f"expected a multiple of 10 examples, as many of each class, got {number}"):
        mnist1d.make_sequences(number)
