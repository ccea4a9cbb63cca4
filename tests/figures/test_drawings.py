"""Every figure can be read: nothing is cut, nothing lies on anything else, axes are named, seeds are told."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements import registry
from memorize_jax.models import MODELS, layer_names
from tests.figures import invented
from tests.figures.invented import (
    DEEP,
    GRID_OF_THREE,
    RUN,
    SHOWN,
    SHOWN_OF_TWO,
    SWEEP_OF_THREE,
    THREE,
    changed,
    of_axes,
)
from tests.figures.seen import complaints, texts
from tests.figures.test_catalog import by_shares

FIGURES = registry.figures()
# Figure -> what its axes must be called.
LABELS = {
    "fig1b": {"mean-field capacity α (classes per feature)", "simulated capacity α (classes per feature)", "equal"},
    "fig2a": {"epoch", "accuracy (%)", "best", "final", "train", "test", "unpermuted", "permuted", "restored"},
    "when_and_how_deep": {
        *("learned epoch", "examples of the group (%)", "unpermuted", "mislabeled", "input", "none"),
        *("prediction depth: neighbors agree from here on", "never learned: unpermuted 0.0 %, mislabeled 25.0 %"),
    },
    "fig3a": {"layer", "capacity α (classes per feature)", "radius $R$ (center distances)", "lower bound 2/M"},
    "fig3b": {"layer", "dimension $D$ (directions)", "center correlation ρ (0 to 1)", "faded: best epoch", "restored"},
    "map_capacity": {"layer", "epoch", "capacity α (classes per feature)", "line: lower\nbound 2/M", "permuted"},
    "fig3_split": {"layer", "change of log joint capacity", "by utility", "by dimension", "restored", "unpermuted"},
    "participation": {"layer", "participation ratio (directions)", "restored", "test"},
    "drift": {"layer", "epoch", "drift (0: true class, 1: assigned class)", "mean drift", "drift, best epoch"},
    "collapse_nc1": {"layer", "NC1: within over between classes", "training examples by true labels"},
    "map_joint_capacity": {"layer", "epoch", "joint: what a hyperplane separates", "line: lower\nbound 2/M"},
    "figa8_joint": {"share of permuted labels", "capacity α (classes per feature)", "last layer: conv7"},
    "epochwise": {"epoch", "test error (%)", "0 % permuted", "100 % permuted", "first minimum", "peak"},
    "figa8": {"share of permuted labels", "capacity α (classes per feature)", "lower bound 2/M", "last layer: conv7"},
    "memorization_by_layer": {
        *("layer", "share of memorization (%)", "spread evenly", "learning rate 0.0001", "learning rate 0.001"),
        *("width 64", "width 256"),
    },
    "fig4a": {"rewind epoch", "accuracy on assigned training labels (%)", "linear1", "linear5+linear6"},
    "fig4b": {"rewind epoch", "accuracy on test (%)", "best epoch of training"},
    "rewinding_restored": {"rewind epoch", "accuracy on true labels of permuted examples (%)"},
    "swap": {"swapped layer", "accuracy (%)", "permuted (assigned labels)", "layers of this network\nin the other run"},
    "swap_windows": {"last swapped layer", "accuracy (%)", "permuted (true labels)", "test"},
    "retraining": {"epochs of retraining", "accuracy (%)", "permuted examples: assigned labels", "final network"},
    "localization": {
        "layer",
        "accuracy, or share of units (%)",
        "assigned labels, after retraining",
        "share of all units",
    },
    "flipping": {"units switched off, of any layer", "examples flipped (%)", "units to switch off, median"},
    "fig4c": {"parameters", "width", "accuracy on test (%)", "best epoch", "final epoch, training labels"},
    "fig4d": {"parameters", "radius $R$ (center distances)", "center correlation ρ (0 to 1)"},
    "fig4e": {"parameters", "width", "dimension $D$ (directions)"},
    "descent_capacity": {"parameters", "capacity α (classes per feature)", "lower bound 2/M"},
    "few_shot": {
        "layer",
        "error between two classes (%)",
        "chance",
        "faded: predicted",
        "5 examples of each class, final epoch",
    },
    "similarity_epochs": {"epoch", "similarity (debiased CKA; 1 = same)", "linear5", "best epoch", "permuted"},
    "similarity_layers": {"layer", "similarity (debiased CKA; 1 = same)", "permuted, final epoch", "test, best epoch"},
    "similarity_runs": {"layer", "similarity (debiased CKA; 1 = same)", "faded: best epoch", "permuted", "test"},
    "figa1": {"layer", "epoch", "dep, unpermuted", "ind, permuted", "log$_{10}$ ‖∇L$_{dep}$‖²"},
    "decoding_layers": {"layer", "accuracy on test (%)", "the network itself", "nearest neighbors"},
    "decoding_epochs": {"epoch", "accuracy on test (%)", "network, head replaced"},
    **{f"fig5{letter}": {"layer", "epoch", "log$_{10}$ ‖∇L‖²"} for letter in "abc"},
    **{f"fig5{letter}": {"layer", "epoch", "log$_{10}$ of the ratio of ‖∇L‖²"} for letter in "defg"},
}
# What shows images or points of one seed has tables of its own.
OF_ONE_SEED = ("fig1a", "fig2b", "figa2", "figa3", "memorized_images")
OF_ONE_SEED += ("memorization_scores", "memorization_cheap_scores")
# One of each kind of figure whose size depends on the number of layers.
BY_LAYER = (
    "when_and_how_deep",
    "fig3b",
    "map_capacity",
    "participation",
    "drift",
    "collapse_nc1",
    "fig4b",
    "swap",
    "swap_windows",
    "retraining",
    "localization",
    "flipping",
    "fig5d",
    "figa1",
    "decoding_layers",
    "decoding_epochs",
)
BY_LAYER += ("few_shot", "similarity_epochs", "similarity_layers", "similarity_runs")
# Those that leave the output out.
OF_HIDDEN = ("flipping",)
# One of each look: what a figure of one seed lacks is its bands.
LIKE_OF_ONE = (
    "when_and_how_deep",
    "fig1b",
    "fig2a",
    "drift",
    "fig3b",
    "fig3_split",
    "figa8",
    "fig4b",
    "map_joint_capacity",
)
# Maps of one run have no intervals to speak of, and points are of all seeds.
WITHOUT_SEEDS = ("fig5", "figa1", "map", "fig1b", "when", "swap_windows", "similarity_layers")


def test_every_figure_is_drawn_here():
    assert set(FIGURES) == {*LABELS, *OF_ONE_SEED}


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        *((name, 3) for name in LABELS),
        *((name, 1) if name in LIKE_OF_ONE else pytest.param(name, 1, marks=pytest.mark.slow) for name in LABELS),
    ],
)
def test_every_figure_can_be_read(name, seeds, gallery):
    figure = gallery.drawn(name, of_axes(FIGURES[name].axes, seeds))
    assert complaints(figure) == []
    read = {re.sub(r" \(mean\)", "", text.get_text()).strip() for text in texts(figure)}
    read |= set(figure.get_suptitle().splitlines())
    assert LABELS[name] <= read
    assert any("seed" in text for text in read) or (name.startswith(WITHOUT_SEEDS) and (seeds == 1 or name == "fig1b"))
    assert "at least" not in figure.get_suptitle()


@pytest.mark.parametrize(
    "name", [name if name in ("fig3b", "fig4b") else pytest.param(name, marks=pytest.mark.slow) for name in BY_LAYER]
)
def test_deep_networks_fit(name, gallery):
    figure = gallery.drawn(name, DEEP)
    assert complaints(figure) == []
    names = layer_names("resnet18_tiny")
    assert set(names[:-1] if name in OF_HIDDEN else names) <= {text.get_text() for text in texts(figure)}


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(set(MODELS) - {"mlp", "resnet18_tiny"}))
def test_all_networks_fit(model, gallery):
    base = invented.study(model)
    for name in BY_LAYER:
        assert complaints(gallery.drawn(name, base)) == [], name


def test_networks_side_by_side_have_a_row_each(gallery):
    figure = gallery.drawn("figa8", invented.sweep(("alexnet", "vgg16"), (0, 1)))
    assert complaints(figure) == []
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:3] == ["first layer: conv1", "middle layer: conv5", "last layer: conv7"]
    assert titles[3:] == ["first layer: conv1", "middle layer: conv9", "last layer: linear20"]


def test_complaints_are_made():
    figure, axis = plt.subplots(figsize=(2, 2))
    axis.set_xticks(range(20), ["overlapping"] * 20, rotation=60)
    figure.text(1.2, 0.5, "outside")
    figure.dpi = 72
    figure.canvas.draw()
    found = " ".join(complaints(figure))
    plt.close(figure)
    assert "'outside' is cut" in found
    assert "'overlapping' lies on 'overlapping'" in found


@pytest.mark.parametrize("name", ["fig1a", "memorized_images", "fig2b", "figa3"])
def test_figures_of_the_first_seed_say_so(name, gallery):
    for base, is_said in ((SHOWN_OF_TWO, True), (SHOWN, False)):
        base = base._replace(dataset="spheres" if name == "figa3" else "digits")
        figure = gallery.drawn(name, base)
        assert ("seed 3, the first of 2" in {text.get_text().split("\n")[-1] for text in texts(figure)}) == is_said
        # Without axes, figure 1A has tick labels all the same.
        assert [found for found in complaints(figure) if "seed 3" in found] == []


# Figure -> table and column of which seed 1 has one value less.
INCOMPLETE = {
    "fig3b": ("geometry", "dimension"),
    "map_capacity": ("geometry", "capacity"),
    "figa8": ("geometry", "capacity"),
    "fig4b": ("rewinding", "test_accuracy"),
    "retraining": ("retraining", "permuted_accuracy"),
    "fig4e": ("double_descent", "dimension"),
    "fig5d": ("gradients", "squared_norm"),
    "decoding_layers": ("decoding", "test_accuracy"),
    "few_shot": ("few_shot", "simulated"),
    "similarity_layers": ("similarity", "cka_debiased"),
    "similarity_runs": ("similarity", "cka_debiased"),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_means_over_fewer_seeds_are_called_so(name, gallery):
    base, (table, column) = of_axes(FIGURES[name].axes, 3), INCOMPLETE[name]
    assert "mean of 3 seeds" in gallery.drawn(name, base).get_suptitle()
    rows = base.tables[table].reset_index(drop=True)
    place = {"double_descent": "width", "similarity": "layer_a"}.get(table, "layer")
    rows.loc[(rows["seed"] == 1) & rows[place].isin([8, "linear4", "conv7"]), column] = np.nan
    figure = gallery.drawn(name, base, **{table: rows})
    assert "mean of 3 seeds (of 2 at least, where some lack a value)" in figure.get_suptitle()
    assert complaints(figure) == []


OF_ONE_AT_LEAST = "mean of 3 seeds (of 1 at least, where some lack a value)"
# Figure -> table, column, and where only seed 0 has a number.
OF_SEED_0 = [
    ("collapse_nc1", "collapse", "nc1_assigned", "group == 'train' and layer == 'linear2'"),
    ("drift", "collapse", "drift_share", "group == 'permuted' and layer == 'linear2'"),
    ("few_shot", "few_shot", "predicted_full", "group == 'test' and layer == 'linear2'"),
    ("similarity_runs", "similarity", "cka_debiased", "own_stage == 'best'"),
    ("swap_windows", "rewinding", "test_accuracy", "source != 'self' and into == 'early'"),
    ("swap", "rewinding", "test_accuracy", "source != 'self' and into == 'early'"),
]


@pytest.mark.parametrize(("name", "table", "column", "where"), OF_SEED_0)
def test_everything_drawn_counts_as_a_mean(name, table, column, where, gallery):
    """Not the first curve alone: those behind, those of other columns, and maps."""
    rows = THREE.tables[table].reset_index(drop=True)
    lacking = rows.index.isin(rows.query(f"seed > 0 and {where}").index)
    figure = gallery.drawn(name, THREE, **{table: rows.assign(**{column: rows[column].mask(lacking)})})
    assert OF_ONE_AT_LEAST in figure.get_suptitle()
    assert OF_ONE_AT_LEAST in gallery.drawn(name, THREE, **{table: rows[~lacking]}).get_suptitle()
    assert "at least" not in gallery.drawn(name, THREE).get_suptitle()
    assert complaints(figure) == []


def test_a_fraction_with_fewer_seeds_is_called_so(gallery):
    metrics = SWEEP_OF_THREE.tables["metrics"]
    fewer = metrics[(metrics["permuted_fraction"] < 1) | (metrics["seed"] < 2)]
    title = gallery.drawn("epochwise", SWEEP_OF_THREE, metrics=fewer).get_suptitle()
    assert "mean of 3 seeds (of 2 at least, where some lack a value);" in title


def test_a_combination_of_settings_with_fewer_seeds_is_called_so(gallery):
    whole = GRID_OF_THREE.tables
    fewer = {name: table[(table["run"] != "run0") | (table["seed"] < 2)] for name, table in whole.items()}
    title = gallery.drawn("memorization_by_layer", GRID_OF_THREE, **fewer).get_suptitle()
    assert "mean of 3 seeds (of 2 at least, where some lack a value), bands: lowest to highest seed" in title
    assert "mean of 3 seeds, bands" in gallery.drawn("memorization_by_layer", GRID_OF_THREE).get_suptitle()


@pytest.mark.parametrize(("seeds", "end"), [(1, "end of training"), (3, "last epoch of all seeds")])
def test_curves_that_end_with_the_shortest_seed_are_said_to(seeds, end, gallery):
    """Each seed of these is trained an epoch further than the one before."""
    read = {text.get_text() for text in texts(gallery.drawn("epochwise", of_axes(("permuted_fraction",), seeds)))}
    assert read & {"end of training", "last epoch of all seeds"} == {end}


@pytest.mark.parametrize(("name", "is_said"), [("fig5a", False), ("fig5b", True), ("fig5d", False), ("figa1", True)])
def test_gradients_weighted_by_shares_are_called_so(name, is_said, gallery):
    figure = gallery.drawn(name, by_shares(THREE))
    assert complaints(figure) == []
    assert ("weighted by their shares" in figure.get_suptitle()) == is_said


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_run_without_some_group_is_drawn_without_it(fraction, gallery):
    groups = ("unpermuted", "test") if fraction == 0 else ("permuted", "restored", "test")
    tables = {"metrics": invented.metrics(permuted=fraction > 0), "geometry": invented.geometry("mlp", groups=groups)}
    for name in ("fig2a", "fig3b"):
        read = {text.get_text() for text in texts(gallery.drawn(name, RUN, **tables))}
        assert ("permuted" in read) == (fraction > 0)


@pytest.mark.parametrize("groups", [("permuted", "restored", "test"), ("unpermuted", "test")])
def test_the_lowest_map_of_every_column_names_the_epochs(groups, gallery):
    figure = gallery.drawn("map_capacity", geometry=invented.geometry("mlp", groups=groups))
    assert complaints(figure) == []
    lowest = [axis for axis in figure.axes if axis.get_xlabel() == "epoch"]
    assert len({axis.get_position().x0 for axis in lowest}) == 2
    read = texts(figure)
    for axis in lowest:
        assert any(tick in read and tick.get_text() == "4" for tick in axis.get_xticklabels())


@pytest.mark.parametrize(("name", "seeds"), [("fig3a", 1), ("fig3b", 3), ("fig3_split", 3), ("fig3_split", 1)])
@pytest.mark.parametrize("groups", [("permuted", "restored", "test"), ("unpermuted", "test")])
def test_the_lowest_panel_of_every_column_names_the_layers(name, seeds, groups, gallery):
    base = of_axes((), seeds)
    figure = gallery.drawn(name, base, geometry=invented.geometry("mlp", base.seeds, groups))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    read = {text.get_text() for text in texts(figure)}
    assert {*layer_names("mlp")} <= read
    for column in {axis.get_subplotspec().colspan.start for axis in shown}:
        own = [axis for axis in shown if axis.get_subplotspec().colspan.start == column]
        lowest = max(own, key=lambda axis: axis.get_subplotspec().rowspan.start)
        named = [text.get_text() for text in lowest.get_xticklabels() if text.get_visible()]
        assert named == ["input", *layer_names("mlp")]
        assert lowest.get_xlabel() == "layer"
    assert complaints(figure) == []


def test_names_of_training_curves_lie_below_them(gallery):
    figure = gallery.drawn("fig2a", THREE)
    assert [axis.get_legend() for axis in figure.axes] == [None, None]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["train", "test", "unpermuted", "permuted", "restored"]


def test_what_is_faded_is_in_the_legend_only_if_it_is_there(gallery):
    metrics = RUN.tables["metrics"].assign(test_accuracy=RUN.tables["metrics"]["epoch"] / 20)
    for base in (changed(RUN, metrics=metrics), changed(RUN, geometry=RUN.tables["geometry"].query("epoch != 2"))):
        assert "faded: best epoch" not in {text.get_text() for text in texts(gallery.drawn("fig3b", base))}


def test_classes_of_one_color_have_markers_of_their_own(gallery):
    points = SHOWN.tables["umap"].query("example == 0")
    many = pd.concat([points.assign(true=label, assigned=label) for label in range(30)])
    drawn = gallery.drawn("fig2b", SHOWN, umap=many).axes[0].collections
    looks = {(tuple(own.get_facecolor()[0]), own.get_paths()[0].vertices.tobytes()) for own in drawn}
    assert len(looks) == len(drawn) == 30


def test_few_shot_names_all_counts_of_examples(gallery):
    table = RUN.tables["few_shot"]
    fewer = table.assign(examples_per_class=table["examples_per_class"].mask(table["group"] == "test", 12))
    assert "12 to 30 examples per class" in gallery.drawn("few_shot", few_shot=fewer).get_suptitle()


def test_points_that_one_panel_of_figure_1b_leaves_out_are_counted(gallery):
    """Of 7 layers, 4 groups and 2 epochs; the output is a bound of the simulation, two layers of joint capacity."""
    table = RUN.tables["capacity_check"]
    joint = table["layer"].isin(["linear2", "linear3"])
    of_joint = table.assign(joint_status=4096 * joint)
    title = gallery.drawn("fig1b", capacity_check=of_joint).get_suptitle()
    left_out = "left out of the joint panel: of these the joint capacity is only an upper bound"
    assert "8 of 56 left out: of these the simulation gives only a bound" in title
    assert f"16 more {left_out}" in title
    assert f"16 of 56 {left_out}" in gallery.drawn("fig1b", capacity_check=of_joint.assign(bound=0)).get_suptitle()
    assert left_out not in gallery.drawn("fig1b").get_suptitle()
