"""Streams of random numbers: the same whatever generator jax is told to use."""

import jax
import numpy as np
import pytest

from memorize_jax.config import RunConfig
from memorize_jax.keys import stream
from memorize_jax.runs.prepare import load_run_data
from memorize_jax.training.trainer import example_order


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_a_stream_does_not_depend_on_the_generator_that_jax_uses_by_default(generator):
    with jax.default_prng_impl(generator):
        found = np.asarray(jax.random.key_data(stream(0, "permutation"))), example_order(0, 3, 100)
        labels = load_run_data(RunConfig(num_train=100))[1]
    # As jax folds in the CRC-32 of the name, and as it was before the generator was named.
    assert found[0].tolist() == [3479050272, 1330857880]
    assert found[1][:5].tolist() == [24, 86, 51, 32, 17]
    assert int(np.sum(labels.assigned * np.arange(100))) == 21738
