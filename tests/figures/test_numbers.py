"""What is drawn are the numbers of the tables."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.figures.heat import columns_of
from memorize_jax.measurements import registry
from memorize_jax.measurements.geometry.figures import draw_geometry
from memorize_jax.measurements.geometry.split import PARTS, split_change
from memorize_jax.report.catalog import caption
from tests.figures import invented
from tests.figures.invented import RUN, THREE, WIDTHS_OF_THREE, changed, of_axes
from tests.figures.seen import complaints, texts
from tests.figures.test_catalog import first_version

FIGURES = registry.figures()
GEOMETRY = RUN.tables["geometry"]


def line(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label)


def test_figure_3_shows_each_seeds_own_epoch_and_the_best_behind(gallery):
    figure = gallery.drawn("fig3b", THREE)
    table = THREE.tables["geometry"]
    for stage in (16, 2):
        own = table[(table["group"] == "permuted") & (table["epoch"] == stage + table["seed"])]
        expected = own.groupby("layer_number")["capacity"].mean()
        curves = [line.get_ydata() for line in figure.axes[0].get_lines()]
        assert any(np.shape(curve) == (7,) and np.allclose(curve, expected) for curve in curves), stage
    np.testing.assert_allclose(line(figure.axes[0], "lower bound 2/M").get_ydata(), 2 / 50)


@pytest.mark.parametrize(("model", "level", "paper"), [("vgg16", 99, "3"), ("alexnet", 95, "A.5")])
def test_the_interval_is_that_of_the_papers_figure(model, level, paper, gallery):
    title = gallery.drawn("fig3a", THREE._replace(model=model)).get_suptitle()
    assert f"bands: {level} % Student-t interval, as in the paper's figure {paper}" in title


@pytest.mark.parametrize("name", ["fig3a", "map_capacity", "figa8", "descent_capacity"])
def test_capacities_with_a_margin_have_no_lower_bound(name, gallery):
    base, table = of_axes(FIGURES[name].axes), FIGURES[name].needs[-1]
    with_margin = changed(base, **{table: base.tables[table].assign(kappa=0.5)})
    read = " ".join(text.get_text() for text in texts(gallery.drawn(name, with_margin)))
    assert "bound" not in read
    assert "2/M" not in caption(FIGURES[name], with_margin)
    assert "margin (κ = 0.5)" in caption(FIGURES[name], with_margin)
    assert "lower bound 2/M of capacity" in caption(FIGURES[name], base)


def test_ratios_are_paired_by_seed_and_differences_of_logarithms(gallery):
    # dep of permuted and of unpermuted examples have the same made-up norm, ind a tenth of it.
    np.testing.assert_allclose(gallery.drawn("fig5f", THREE).axes[0].collections[0].get_array(), 0, atol=1e-12)
    np.testing.assert_allclose(gallery.drawn("fig5d", THREE).axes[0].collections[0].get_array(), 1)
    table = THREE.tables["gradients"].reset_index(drop=True)
    table.loc[table["seed"] == 1, "squared_norm"] *= 100
    table.loc[(table["seed"] == 1) & (table["part"] == "ind"), "squared_norm"] = 0
    figure = gallery.drawn("fig5d", THREE, gradients=table)
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), 1)


def test_a_run_of_one_epoch_is_drawn_as_points(gallery):
    figure = gallery.drawn("fig2a", metrics=RUN.tables["metrics"].query("epoch == 1"))
    drawn = [own for axis in figure.axes for own in axis.get_lines() if len(own.get_xdata()) == 1]
    assert [own.get_label() for own in drawn] == ["train", "test", "unpermuted", "permuted", "restored"]
    assert all(own.get_marker() not in ("None", "") for own in drawn)
    assert {own.get_marker() for own in gallery.drawn("fig2a").axes[0].get_lines()} == {"None"}


def test_what_was_read_late_only_is_not_drawn_from_epoch_0_on(gallery):
    late = RUN.tables["decoding"].query("epoch > 0")
    assert all(1 < axis.get_xlim()[0] < 2 for axis in gallery.drawn("decoding_epochs", decoding=late).axes)


def test_activations_of_any_network_have_curves(gallery, tmp_path):
    table = invented.geometry("mlp", groups=("all",), epochs=())
    draw_geometry(table[table["epoch"] == 2], tmp_path / "own.svg")
    assert len(line(gallery.saved[-1].axes[0], "all").get_ydata()) == 7


# --- joint geometry


def test_joint_capacity_stands_beside_the_mean_field_one_and_bounds_are_hollow(gallery):
    figure = gallery.drawn("fig3b")
    table = GEOMETRY.query("group == 'restored' and epoch == 16").sort_values("layer_number")
    for axis, column in zip(figure.axes, ("capacity", "joint_capacity", "radius", "dimension"), strict=False):
        np.testing.assert_allclose(line(axis, "restored").get_ydata(), table[column])
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[3].get_title() == "of M = 50 examples per class"
    faded, hollow = (hollows(figure.axes[1], is_faded) for is_faded in (True, False))
    assert [own.get_xdata().tolist() for own in faded + hollow] == 8 * [[6]]


def hollows(axis, is_faded):
    found = [own for own in axis.get_lines() if own.get_markerfacecolor() == "white"]
    return [own for own in found if (own.get_alpha() is not None) == is_faded]


def test_bounds_at_the_best_epoch_are_faded_hollow_points(gallery):
    table = invented.bounds(THREE.tables["geometry"], group="permuted", layer="linear3", epoch=(2, 3, 4))
    axis = gallery.drawn("fig3b", THREE, geometry=table).axes[1]
    places = [[own.get_xdata().tolist() for own in hollows(axis, is_faded)] for is_faded in (True, False)]
    assert places == [[[], [3], [], []], 4 * [[]]]
    expected = table.query("epoch == 2 + seed and group == 'permuted' and layer == 'linear3'")["joint_capacity"]
    assert hollows(axis, True)[1].get_ydata() == pytest.approx([expected.mean()])


def test_bars_of_one_seed_are_of_draws_and_of_examples(gallery):
    table = GEOMETRY.assign(example_repeats=3, joint_capacity_example_sd=0.003, radius_example_sd=0.05)
    figure = gallery.drawn("fig3a", geometry=table.assign(joint_capacity_standard_error=0.004))
    assert "of the Gaussian draws and of the choice of examples" in figure.get_suptitle()
    for axis, size in ((figure.axes[1], 0.005), (figure.axes[2], 0.05)):
        (low, high), *_ = axis.collections[0].get_segments()
        assert high[1] - low[1] == pytest.approx(4 * size)
    said = figure.get_suptitle()
    assert "of radius and dimension of the choice alone (standard deviation over 3 choices)" in said
    assert complaints(figure) == []
    assert "choice of examples" not in gallery.drawn("fig3a").get_suptitle()


def test_nothing_known_of_the_choice_of_examples_has_no_bar(gallery):
    spreads = [f"{name}_example_sd" for name in ("capacity", "joint_capacity", "radius", "dimension")]
    table = GEOMETRY.assign(example_repeats=3, **dict.fromkeys(spreads, 0.01))
    table.loc[table["group"] == "test", ["example_repeats", *spreads]] = [1, *4 * [np.nan]]
    figure = gallery.drawn("fig3a", geometry=table)
    assert [bars(axis) for axis in figure.axes[:4]] == [28, 28, 21, 21]
    assert "over 3 choices; one of test, whose bars are of the draws alone)" in figure.get_suptitle()
    assert complaints(figure) == []
    once = gallery.drawn("fig3a", geometry=GEOMETRY.assign(**dict.fromkeys(spreads, np.nan)))
    assert [bars(axis) for axis in once.axes[:4]] == [28, 28, 0, 0]
    assert "bars of capacity: two standard errors of the Gaussian draws" in once.get_suptitle()


def bars(axis):
    """How many bars are drawn, of whatever length."""
    ends = [segment for own in axis.collections for segment in own.get_segments() if len(segment)]
    return sum(np.isfinite(end).all() for end in ends)


def test_tables_of_the_first_version_are_drawn_without_joint_capacity(gallery):
    figure = gallery.drawn("fig3b", first_version(RUN))
    assert len(figure.axes) == 4
    assert figure.axes[0].get_title() == "mean-field theory: each class turned its own way"
    assert complaints(figure) == []
    (axis,) = gallery.drawn("fig1b", first_version(RUN)).axes
    assert axis.get_xlabel() == "mean-field capacity α (classes per feature)"


def test_figure_1b_shows_both_theories_against_the_simulation(gallery):
    table = RUN.tables["capacity_check"]
    figure = gallery.drawn("fig1b", capacity_check=table.assign(joint_classes=7))
    assert complaints(figure) == []
    assert [axis.get_xlabel().partition(" ")[0] for axis in figure.axes] == ["mean-field", "joint"]
    assert "joint: 7 of the classes in a draw" in figure.get_suptitle()
    for axis, column in zip(figure.axes, ("mean_field_capacity", "joint_capacity"), strict=True):
        (own,) = [own for own in axis.containers if own.get_label() == "restored"]
        last = table.query("group == 'restored' and epoch == 16 and bound == 0")
        np.testing.assert_allclose(own[0].get_xdata().astype(float), last[column])
        np.testing.assert_allclose(own[0].get_ydata().astype(float), last["simulated_capacity"])
    assert "in a draw" not in gallery.drawn("fig1b").get_suptitle()


def test_the_map_of_joint_capacity_is_of_its_column(gallery):
    figure = gallery.drawn("map_joint_capacity")
    own = GEOMETRY.query("group == 'unpermuted'")
    wide = own.pivot(index="layer_number", columns="epoch", values="joint_capacity")
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), wide)


def test_maps_of_several_seeds_show_each_seeds_own_best_and_final_epoch(gallery):
    """Seed s is best at epoch 2 + s and ends at 16 + s: no epoch but 0 is one of all of them."""
    table = THREE.tables["geometry"]
    after = table["epoch"] - table["seed"]
    figure = gallery.drawn("map_capacity", THREE, geometry=table[(table["epoch"] == 0) | after.isin((2, 16))])
    assert complaints(figure) == []
    own = (
        table[table["group"] == "unpermuted"].assign(after=after).groupby(["layer_number", "after"])["capacity"].mean()
    )
    expected = own.unstack("after")[[2, 16]].to_numpy()
    np.testing.assert_allclose(np.asarray(figure.axes[0].collections[0].get_array())[:, 1:], expected)
    read = [text.get_text() for text in texts(figure)]
    assert {"0", "best\n(2 to 4)", "final\n(16 to 18)"} <= set(read)


def test_maps_leave_out_best_epochs_that_the_epochs_of_all_seeds_show(gallery):
    """Epochs 2 and 4, of all seeds, are the first and the last of their best ones."""
    read = [text.get_text() for text in texts(gallery.drawn("map_capacity", THREE))]
    assert {"1", "2", "4", "8"} <= set(read)
    assert not any(text.startswith("best") for text in read)


def test_maps_of_seeds_that_end_at_their_best_epoch_say_so():
    metrics = THREE.tables["metrics"].assign(test_accuracy=lambda table: table["epoch"] / 100)
    study = changed(THREE, metrics=metrics)
    columns = columns_of(study, THREE.tables["gradients"])
    assert [column.name for column in columns if column.name] == ["best and final"]
    assert columns[-1].epochs == {0: 16, 1: 17, 2: 18}
    # The geometric mean of three is no epoch.
    assert columns[-1].place == pytest.approx((16 * 17 * 18) ** (1 / 3))


def rows(**columns):
    known = {"seed": 0, "group": "permuted", "layer": ["first", "last"], "layer_number": [1, 2], "joint_status": 0}
    return pd.DataFrame(known | {f"joint_{name}": values for name, values in columns.items()})


def test_the_change_of_capacity_splits_exactly():
    """By hand: 1/2 (1 + 1) / 10 = .1, then 1/2 (1 + 3) / 8 = .25: by the radius 2, by the dimension 10/8."""
    radius = [1.0, 1.0], [3**-0.5, 1.0]
    before = rows(utility=[0.5, 0.5], radius=radius[0], dimension=[10.0, 10.0], capacity=[0.1, 0.1])
    after = rows(utility=[0.5, 0.8], radius=radius[1], dimension=[8.0, 10.0], capacity=[0.25, 0.16])
    found = split_change(before, after).set_index("layer")
    np.testing.assert_allclose(found.loc["first", list(PARTS)].astype(float), np.log([1, 2, 1.25]), atol=1e-12)
    np.testing.assert_allclose(found.loc["last", list(PARTS)].astype(float), np.log([1.6, 1, 1]), atol=1e-12)
    np.testing.assert_allclose(found["capacity"], np.log([2.5, 1.6]))
    bound = split_change(before.assign(joint_status=[0, 128]), after).set_index("layer")
    assert bound.loc["last", [*PARTS, "capacity"]].isna().all()
    assert bound.loc["first", "capacity"] == pytest.approx(np.log(2.5))


@pytest.mark.parametrize("base", [RUN, THREE], ids=["one", "three"])
def test_bars_of_the_split_add_up_to_the_point(base, gallery):
    axis = gallery.drawn("fig3_split", base).axes[1]
    assert axis.get_title() == "permuted"
    heights = sum(
        np.array([bar.get_height() for bar in bars]) for bars in axis.containers if bars.get_label().startswith("by ")
    )
    (point,) = [own for own in axis.containers if own.get_label().startswith("sum")]
    np.testing.assert_allclose(heights[:-1], point[0].get_ydata()[:-1])
    table = base.tables["geometry"].query("group == 'permuted' and layer == 'linear2'").set_index(["seed", "epoch"])
    logs = np.log(table["joint_capacity"])
    assert heights[2] == pytest.approx(np.mean([logs[seed, 16 + seed] - logs[seed, 2 + seed] for seed in base.seeds]))
    # A bound is not a value.
    assert np.isnan(point[0].get_ydata()[-1])


def test_a_mean_of_which_some_seed_is_a_bound_has_no_bars(gallery):
    table = invented.bounds(THREE.tables["geometry"], group="permuted", layer="linear3", seed=1)
    restored, permuted = (gallery.drawn("fig3_split", THREE, geometry=table).axes[place] for place in (2, 1))
    assert (restored.get_title(), permuted.get_title()) == ("restored", "permuted")
    for axis, known in ((restored, 7), (permuted, 6)):
        (point,) = [own for own in axis.containers if own.get_label().startswith("sum")]
        assert np.isfinite(point[0].get_ydata()).sum() == known
    heights = [bar.get_height() for bar in permuted.containers[0]]
    assert np.flatnonzero(np.isnan(heights)).tolist() == [3]


@pytest.mark.parametrize("name", ["fig4e", "descent_capacity"])
def test_a_width_of_which_some_seed_is_a_bound_has_no_joint_geometry(name, gallery):
    table = invented.bounds(WIDTHS_OF_THREE.tables["double_descent"], width=3, moment="final", seed=1)
    figure = gallery.drawn(name, WIDTHS_OF_THREE, double_descent=table)
    joint = next(axis for axis in figure.axes if "joint" in axis.get_ylabel() + axis.get_title())
    assert np.isfinite(line(joint, "best epoch").get_ydata()).all()
    assert np.flatnonzero(np.isnan(line(joint, "final epoch").get_ydata())).tolist() == [2]


def test_the_swap_shows_the_last_epoch_of_the_other_run_and_the_final_network(gallery):
    table = RUN.tables["rewinding"].query("source != 'self' and num_layers == 1")
    earlier = table.assign(rewind_epoch=3, test_accuracy=0.2)
    both = pd.concat([RUN.tables["rewinding"], earlier], ignore_index=True)
    for axis, into in zip(gallery.drawn("swap", rewinding=both).axes, ("final", "early"), strict=True):
        own = table[table["into"] == into]
        np.testing.assert_allclose(line(axis, "test").get_ydata(), 100 * own["test_accuracy"])
        assert [tick.get_text() for tick in axis.get_xticklabels()] == own["layer"].tolist()


def test_windows_stand_at_their_first_and_last_layer(gallery):
    table = RUN.tables["rewinding"].query("source != 'self' and into == 'early'")
    shown = gallery.drawn("swap_windows").axes[5].collections[0].get_array()
    values = np.ma.filled(shown, np.nan).reshape(6, 6)
    assert values[0, 5] == pytest.approx(100 * table.query("num_layers == 6")["test_accuracy"].iloc[0])
    np.testing.assert_allclose(np.diag(values), 63.0)
    assert np.isfinite(values).sum() == 6 + 5 + 1
