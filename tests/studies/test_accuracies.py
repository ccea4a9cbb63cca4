"""The course of training in numbers: a mean over seeds is one of all of them."""

import numpy as np
import pytest

from memorize_jax.studies.accuracies import story
from tests.figures import invented


def test_a_group_that_one_seed_lacks_has_no_mean():
    """Seed 0 of the invented runs ends with all permuted labels memorized, and would stand for both."""
    metrics = invented.metrics((0, 1))
    whole = story(invented.changed(invented.study(seeds=(0, 1)), metrics=metrics))
    lacking = metrics.assign(permuted_accuracy=metrics["permuted_accuracy"].mask(metrics["seed"] == 1))
    found = story(invented.changed(invented.study(seeds=(0, 1)), metrics=lacking))
    for of_group in (found.start, found.peak, found.end):
        assert np.isnan(of_group["permuted"])
    assert (found.end["test"], found.peak["test"]) == pytest.approx((0.46, 0.6))
    assert (whole.start["permuted"], whole.end["permuted"]) == pytest.approx((0, 1))
