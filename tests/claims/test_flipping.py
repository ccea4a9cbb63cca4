import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements.flipping.counts import relative_error_of_median
from tests.claims.invented import assert_judged, judged, study

CLAIM = "memorized_hang_on_fewer_units"


def counted(permuted, unpermuted):
    """A study whose examples, some of each kind, take so many units to flip."""
    rows = [(True, count) for count in permuted] + [(False, count) for count in unpermuted]
    table = pd.DataFrame(rows, columns=["is_permuted", "num_flipped"]).assign(seed=0, layer="any", is_flipped=True)
    base = study()
    return base._replace(tables={**base.tables, "flipping": table})


@pytest.mark.parametrize("kinds", [([2], [6, 6, 6]), ([2, 2, 2], [6]), ([2], [6]), ([2, 2], [6, 6])])
def test_one_or_two_examples_of_a_kind_do_not_decide(kinds):
    assert_judged(CLAIM, counted(*kinds), "undecided", 1 / 3)
    why = "not certain with one seed: the standard error of its sample of examples is not known; "
    assert judged(CLAIM, counted(*kinds)).reason.startswith(why)


def test_few_examples_that_scatter_do_not_decide():
    assert_judged(CLAIM, counted([5, 5, 5], [6, 6, 6]), "holds", 5 / 6)
    scattered = counted([1, 5, 30], [2, 6, 40])
    assert_judged(CLAIM, scattered, "undecided", 5 / 6)
    assert "one standard error of its sample of examples, of the threshold" in judged(CLAIM, scattered).reason


@pytest.mark.parametrize("num_examples", [20, 50, 400])
def test_the_error_of_a_median_is_that_of_many_samples(num_examples):
    """Of a log-normal distribution, whose median has the standard error sqrt(pi / 2 n) in its logarithm."""
    samples = np.exp(np.random.default_rng(0).normal(size=(2000, num_examples)))
    found = np.mean([relative_error_of_median(sample) for sample in samples])
    # Ranks are rounded outward, which few examples feel.
    for expected in (np.std(np.log(np.median(samples, axis=1))), np.sqrt(np.pi / 2 / num_examples)):
        assert 0.95 * expected < found < (1.05 + 0.8 / np.sqrt(num_examples)) * expected


def test_the_error_of_a_median_knows_no_unit_and_bounds():
    counts = np.array([3.0, 1.0, 7.0, 20.0, 2.0])
    np.testing.assert_allclose(relative_error_of_median(10 * counts), relative_error_of_median(counts), rtol=1e-12)
    assert relative_error_of_median(np.array([4.0, 4.0, 4.0])) == 0
    assert relative_error_of_median(np.array([4.0, 4.0])) == np.inf
    assert relative_error_of_median(np.array([4.0])) == np.inf
    assert relative_error_of_median(np.array([1.0, 2.0, np.inf])) == np.inf
