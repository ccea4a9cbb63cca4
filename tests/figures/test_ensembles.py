"""Figures of an ensemble are of all of its seeds, or have no point."""

import numpy as np
import pytest

from memorize_jax.measurements.flipping.counts import ANY
from memorize_jax.measurements.flipping.section import SECTION
from memorize_jax.measurements.retraining.effects import NONE
from memorize_jax.pages.page import fill
from tests.figures.invented import THREE, changed
from tests.figures.seen import complaints


def line(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label)


def test_layers_put_back_to_each_seeds_best_epoch_are_a_mean_of_all_seeds(gallery):
    """Seed 0 has the earliest one, and is not drawn alone."""
    table = THREE.tables["retraining"].copy()
    table.loc[table["layer"] != NONE, "rewind_epoch"] = 2 + table["seed"]
    table["test_accuracy"] = 0.2 + 0.1 * table["seed"]
    figure = gallery.drawn("retraining", THREE, retraining=table)
    assert "each layer put back to epoch 2 to 4, each seed's own, all others as they ended" in figure.get_suptitle()
    assert "mean of 3 seeds, bands" in figure.get_suptitle()
    axis = next(axis for axis in figure.axes if axis.get_title() == "test")
    np.testing.assert_allclose(line(axis, "linear1").get_ydata(), 30)
    assert complaints(figure) == []


def beyond_in_seed_1(layers):
    """The ensemble where half of the permuted examples of seed 1 do not flip within 2 units, in these searches."""
    table = THREE.tables["flipping"].copy()
    rows = (table["seed"] == 1) & table["layer"].isin(layers) & table["is_permuted"] & (table["num_flipped"] > 2)
    return changed(THREE, flipping=table.assign(is_flipped=table["is_flipped"] & ~rows))


def test_a_median_beyond_the_limit_in_one_seed_has_no_point(gallery):
    """The mean of the others would be too low."""
    table = THREE.tables["flipping"]
    expected = table[table["is_permuted"]].groupby(["seed", "layer"])["num_flipped"].median().groupby("layer").mean()
    hidden = list(THREE.layers[:-1])
    for layers in ([], ["linear2", "linear4"], hidden):
        figure = gallery.drawn("flipping", THREE, flipping=beyond_in_seed_1(layers).tables["flipping"])
        drawn = line(figure.axes[1], "permuted examples").get_ydata()
        np.testing.assert_allclose(drawn, [np.nan if layer in layers else expected[layer] for layer in hidden])
        assert "mean of 3 seeds, bands" in figure.get_suptitle()
        assert complaints(figure) == []


def test_a_panel_that_lacks_a_seed_is_called_a_mean_of_fewer(gallery):
    shares = THREE.tables["flipping_layers"]
    shares = shares[(shares["seed"] != 2) | ~shares["is_permuted"]]
    title = gallery.drawn("flipping", THREE, flipping_layers=shares).get_suptitle()
    assert "mean of 3 seeds (of 2 at least, where some lack a value)" in title


@pytest.mark.parametrize("layers", [[], [ANY]])
def test_the_words_on_the_median_do_not_leave_out_a_seed_where_it_is_beyond_the_limit(layers):
    """Numbers of units are 1 to 4 for all seeds, so their median is 2.5; tried were 3 where it is beyond."""
    study = beyond_in_seed_1(layers)
    accuracies = {"unpermuted_accuracy": 0.9, "permuted_accuracy": 0.8}
    accuracies |= {f"{name}_before": 1.0 for name in accuracies}
    table = study.tables["flipping"].assign(**accuracies)
    is_tried = table["is_flipped"] | (table["num_flipped"] < 3) | ~table["is_permuted"]
    study = changed(study, flipping=table.assign(num_flipped=table["num_flipped"].where(is_tried, 3)))
    said = " ".join(fill(SECTION.words, study=study, facts=SECTION.facts(study)).split())
    if layers:
        more = "half flip only with more than 2.5 units off, if at all (mean over seeds; in 1 of 3 half or more did not"
        assert f"Of 12 permuted examples {more} flip within the limit);" in said
    else:
        assert "Of 12 permuted examples half flipped with 2.5 units off, at most;" in said
    assert "of 12 unpermuted examples half flipped with" in said


def test_depths_of_a_seed_whose_network_was_damaged_lower_no_bar(gallery):
    """The bars of each group add up to all of its examples with a depth."""
    table = THREE.tables["per_example"]
    damaged = table.assign(prediction_depth_best=table["prediction_depth_best"].mask(table["seed"] == 1))
    figure = gallery.drawn("when_and_how_deep", THREE, per_example=damaged)
    axis = next(axis for axis in figure.axes if axis.get_title().startswith("how deep, best"))
    for bars in axis.containers:
        assert sum(bar.get_height() for bar in bars) == pytest.approx(100)
    assert "mean of 3 seeds (of 2 at least, where some lack a value)" in figure.get_suptitle()
