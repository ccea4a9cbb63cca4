"""Test error over epochs: smoothing against a loop, turns and the table of a report by hand."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.claims.shapes import descents
from memorize_jax.claims.sheet import judge
from memorize_jax.measurements import registry
from memorize_jax.measurements.epochwise.curves import course, smoothed
from memorize_jax.measurements.epochwise.section import SECTION, turns
from memorize_jax.statistics import student_t_interval
from tests.claims.invented import judged, over_epochs


def test_smoothing_equals_a_loop():
    errors = np.random.default_rng(0).random((2, 60))
    for epoch in range(60):
        near = [other for other in range(60) if epoch / 1.25 <= other <= 1.25 * epoch]
        np.testing.assert_allclose(smoothed(errors)[:, epoch], errors[:, near].mean(axis=1))


def test_single_epochs_do_not_decide():
    rng = np.random.default_rng(0)
    epochs = np.arange(300)
    once = 0.4 + 0.5 * np.exp(-epochs / 10)
    noisy = once + rng.normal(0, 0.015, (1, 300))
    assert course(noisy).peak is None
    twice = once + 0.08 * np.exp(-((2 * np.log((epochs + 1) / 100)) ** 2))
    found = course(twice + rng.normal(0, 0.015, (1, 300)))
    assert found.peak == pytest.approx(99, rel=0.25)
    assert found.low is not None
    assert found.minimum < 80 < 120 < found.low


def test_the_minimum_is_the_lowest_before_the_peak():
    # The second fall, 0.02, decides from wherever the curve rises by more.
    assert descents(np.array([0.9, 0.63, 0.62, 0.66, 0.64])).tolist() == [0, 2, 3, 4]
    # The first fall, 0.02, decides whatever the peak is.
    assert descents(np.array([0.64, 0.62, 0.66, 0.7, 0.6])).tolist() == [0, 1, 3, 4]


def test_the_report_has_the_turns_of_every_fraction():
    study = over_epochs((0, 1))
    table = turns(study).set_index("permuted_fraction")
    assert table["fitted_epoch"].tolist() == [10] * 3
    middle = table.loc[0.5]
    assert (middle["num_seeds"], middle["minimum"], middle["peak"], middle["low"], middle["end"]) == pytest.approx(
        (2, 0.5, 0.6, 0.45, 0.45)
    )
    assert (middle["fall"], middle["rise"], middle["second_fall"]) == pytest.approx((0.4, 0.1, 0.15))
    assert 2 <= middle["minimum_epoch"] < 6 <= middle["peak_epoch"] < 17 <= middle["low_epoch"]
    assert np.isnan(table.loc[0.0, ["peak", "low", "peak_epoch"]].astype(float)).all()
    _, view = SECTION.views["test_error_over_epochs"]
    assert [found and len(found.whole) for found in (view(study), view(study._replace(axes=())))] == [3, None]


def test_labels_fitted_at_epoch_0_are_fitted_and_one_seed_that_never_fits_them_leaves_no_epoch():
    base = over_epochs((0, 1))
    metrics = base.tables["metrics"]
    of_second_seed = metrics["permuted_fraction"].map({0.0: 0, 0.5: 10, 0.8: 99})
    since = of_second_seed.where(metrics["seed"] == 1, 0)
    fitted = metrics.assign(train_accuracy=(metrics["epoch"] >= since) * 1.0)
    np.testing.assert_array_equal(turns(base._replace(tables={"metrics": fitted}))["fitted_epoch"], [0, 10, np.nan])


def test_where_all_labels_are_permuted_there_is_nothing_to_stop_early_for():
    """Error there is that of chance at every epoch; the largest fraction below 1 is judged."""
    base = over_epochs()
    metrics = base.tables["metrics"]
    nothing = metrics[metrics["permuted_fraction"] == 0.8].assign(
        permuted_fraction=1.0, test_accuracy=0.1, run="run1.0"
    )
    together = base._replace(tables={"metrics": pd.concat([metrics, nothing], ignore_index=True)})
    for study in (base, together):
        claim = judged("much_noise_is_best_stopped_early", study)
        assert (claim.verdict, claim.measured) == ("holds (one seed)", pytest.approx(5.0))


def test_every_part_must_be_above_the_threshold():
    """The part of the least mean holds, and another one scatters across the threshold."""
    (one,) = (one for one in registry.statements() if one.name == "some_noise_descends_twice")
    parts = np.array([[2.0, 0.9, 9.0], [2.1, 3.7, 9.0], [2.2, 1.9, 9.0]])
    claim = judge(one._replace(over_seeds=lambda seeds: parts), over_epochs((0, 1, 2)))
    assert claim.measured == pytest.approx(2.1)
    interval = student_t_interval(parts, level=0.95)
    assert (claim.low, claim.high) == pytest.approx((interval.low[1], interval.high[0]))
    assert claim.verdict == "undecided"


def test_the_interval_over_seeds_decides():
    base = over_epochs((0, 1, 2))
    metrics = base.tables["metrics"]
    assert judged("some_noise_descends_twice", base).verdict == "holds"
    unlike = (metrics["seed"] == 1) & (metrics["permuted_fraction"] == 0.5) & metrics["epoch"].between(6, 16)
    spread = base._replace(tables={"metrics": metrics.assign(test_accuracy=metrics["test_accuracy"] + 0.09 * unlike)})
    claim = judged("some_noise_descends_twice", spread)
    assert (claim.verdict, claim.reason[:25]) == ("undecided", "not certain with 3 seeds:")
    assert claim.measured == pytest.approx((0.1 + 0.01 + 0.1) / 3 / 0.02)


def test_the_page_says_that_the_turns_are_those_of_the_smoothed_curve():
    _, view = SECTION.views["test_error_over_epochs"]
    assert (
        "Minimum, peak, low and end, and the moves between them, are those of the smoothed curve"
        in view(over_epochs()).note
    )
