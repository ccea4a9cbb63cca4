import numpy as np
import pandas as pd
import pytest
from scipy import stats

from memorize_jax.statistics import over_seeds, student_t_interval


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_equals_scipy(level):
    values = np.random.default_rng(0).normal(size=(10, 3))
    found = student_t_interval(values, level=level)
    low, high = stats.t.interval(level, 9, values.mean(axis=0), stats.sem(values, axis=0))
    np.testing.assert_allclose(found.low, low)
    np.testing.assert_allclose(found.high, high)
    assert found.count.tolist() == [10, 10, 10]


def test_one_measurement_has_no_interval_and_missing_ones_do_not_count():
    found = student_t_interval([[1.0, 2.0, np.nan], [np.inf, 4.0, np.nan]])
    np.testing.assert_array_equal(found.mean, [1, 3, np.nan])
    np.testing.assert_array_equal(np.isnan(found.low), [True, False, True])
    assert found.count.tolist() == [1, 2, 0]
    assert np.isnan(student_t_interval([1.0]).high)
    with pytest.raises(ValueError, match="expected level between 0 and 1, got 95"):
        student_t_interval([1, 2], level=95)


def test_a_table_over_seeds_has_a_row_for_every_combination_and_measure():
    row = lambda seed, layer: {"seed": seed, "layer": layer, "radius": seed + 2.0, "dimension": 10.0 * seed}
    rows = [row(seed, layer) for seed in (0, 1, 4) for layer in ("input", "linear1")]
    found = over_seeds(pd.DataFrame(rows), ["layer"], ["radius", "dimension"])
    assert len(found) == 2 * 2
    row = found.set_index(["layer", "measure"]).loc[("linear1", "radius")]
    low, high = stats.t.interval(0.99, 2, 11 / 3, stats.sem([2, 3, 6]))
    np.testing.assert_allclose(row[["mean", "low", "high"]].astype(float), [11 / 3, low, high])
    assert row["num_seeds"] == 3


def layered(num_seeds=3):
    return pd.DataFrame(
        [
            {"seed": seed, "epoch": 0, "layer": f"linear{layer}", "capacity": seed + layer / 9}
            for seed in range(num_seeds)
            for layer in range(10)
        ]
    )


def test_layers_are_no_seeds():
    """Ten layers of three seeds are no thirty repetitions, and no row of a seed stands for two."""
    message = r"expected one row of the table for every seed and epoch, got 10 for epoch 0, seed 0; add to by what"
    with pytest.raises(ValueError, match=message):
        over_seeds(layered(), ["epoch"], ["capacity"])
    with pytest.raises(ValueError, match="expected a table with a column seed, got epoch, layer, capacity"):
        over_seeds(layered().drop(columns="seed"), ["layer"], ["capacity"])
    assert over_seeds(layered(), ["epoch", "layer"], ["capacity"])["num_seeds"].tolist() == [3] * 10


def test_a_missing_value_tells_combinations_apart_like_any_other():
    """A setting that a run does not have is NaN in a table of several, and no reason to leave the run out."""
    table = pd.concat([layered().assign(lr=np.nan), layered().assign(lr=0.1)])
    found = over_seeds(table[table["layer"] == "linear0"], ["lr"], ["capacity"])
    assert found["lr"].isna().tolist() == [True, False]
    assert found["num_seeds"].tolist() == [3, 3]
    np.testing.assert_allclose(found["mean"], 1)
