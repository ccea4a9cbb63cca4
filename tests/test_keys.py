"""Streams of random numbers: the same whatever generator jax is told to use."""

import jax
import numpy as np
import pandas as pd
import pytest

from memorize_jax import analyze
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


def test_the_geometry_of_activations_does_not_depend_on_it():
    points = np.random.default_rng(0).normal(size=(24, 60)).astype(np.float32)
    labels = np.repeat(np.arange(3), 8)
    found = []
    for generator in ("threefry2x32", "rbg"):
        with jax.default_prng_impl(generator):
            found.append(analyze(points, labels, num_draws=16, seed=5).to_dataframe())
    pd.testing.assert_frame_equal(*found)
