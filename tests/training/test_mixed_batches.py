import jax
import numpy as np
import pytest

from memorize_jax.keys import stream
from memorize_jax.training.devices import mixed_batches


@pytest.mark.parametrize(("num", "size"), [(100, 10), (101, 10), (7, 10), (60, 60), (5, 2)])
def test_every_example_is_in_one_batch_and_none_is_larger_than_asked_for(num, size):
    batches = mixed_batches(jax.random.key(0), num, size)
    real = [batch.indices[batch.mask > 0] for batch in batches]
    assert sorted(np.concatenate(real)) == list(range(num))
    assert {batch.indices.shape for batch in batches} == {(1, batches[0].indices.size)}
    assert max(map(len, real)) <= size
    assert len(batches) == -(-num // size)


def test_batches_of_sorted_classes_hold_all_of_them_and_the_key_alone_decides():
    labels = np.repeat(np.arange(4), 250)
    batches, again, other = (mixed_batches(jax.random.key(seed), 1000, 100) for seed in (0, 0, 1))
    counts = np.array([np.bincount(labels[batch.indices[0]], minlength=4) for batch in batches])
    # Hypergeometric, of mean 25 and standard deviation 4.1: five of them.
    assert np.abs(counts - 25).max() < 21
    assert all(np.array_equal(one.indices, two.indices) for one, two in zip(batches, again, strict=True))
    assert not np.array_equal(batches[0].indices, other[0].indices)


def test_gradients_are_measured_on_the_batches_that_they_always_were():
    # Written out: the numbers of tables that were measured hang on this order.
    key = np.asarray(jax.random.key_data(stream(3, "gradient batches"))).ravel()
    order = np.random.default_rng(key).permutation(20)
    found = mixed_batches(stream(3, "gradient batches"), 20, 8)
    np.testing.assert_array_equal(np.concatenate([batch.indices[0] for batch in found])[:20], order)
