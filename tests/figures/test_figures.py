import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from memorize_jax.figures import ALIASES, FIGURES, caption, draw_geometry, missing, select
from memorize_jax.measurements.geometry.split import PARTS, split_change
from memorize_jax.models import MODELS, layer_names
from tests.commands import ROOT, python
from tests.figures import invented
from tests.figures.seen import complaints, texts, watch

# One figure of each look is drawn in the quick tests; all together take half a minute.
SLOW = pytest.mark.slow
LOOKS = (
    "fig2a",
    "fig3b",
    "map_capacity",
    "figa8",
    "fig4b",
    "fig4e",
    "fig5d",
    "figa1",
    "decoding_layers",
    "decoding_epochs",
)


def quick(names, chosen):
    return [name if name in chosen else pytest.param(name, marks=SLOW) for name in names]


# One of each kind of figure whose size depends on the number of layers.
BY_LAYER = ("fig3b", "map_capacity", "fig4b", "fig5d", "figa1", "decoding_layers", "decoding_epochs")
# Figure -> what its axes must be called.
LABELS = {
    "fig2a": {"epoch", "accuracy (%)", "best", "final", "train", "test", "unpermuted", "permuted", "restored"},
    "fig3a": {"layer", "capacity α (classes per feature)", "radius $R$ (center distances)", "lower bound 2/M"},
    "fig3b": {"layer", "dimension $D$ (directions)", "center correlation ρ (0 to 1)", "faded: best epoch", "restored"},
    "map_capacity": {"layer", "epoch", "capacity α (classes per feature)", "line: lower\nbound 2/M", "permuted"},
    "fig3_split": {"layer", "change of log joint capacity", "by utility", "by dimension", "restored", "unpermuted"},
    "map_joint_capacity": {"layer", "epoch", "joint: what a hyperplane separates", "line: lower\nbound 2/M"},
    "figa8_joint": {"share of permuted labels", "capacity α (classes per feature)", "last layer: conv7"},
    "figa8": {"share of permuted labels", "capacity α (classes per feature)", "lower bound 2/M", "last layer: conv7"},
    "fig4a": {"rewind epoch", "accuracy on assigned training labels (%)", "linear1", "linear5+linear6"},
    "fig4b": {"rewind epoch", "accuracy on test (%)", "best epoch of training"},
    "rewinding_restored": {"rewind epoch", "accuracy on true labels of permuted examples (%)"},
    "fig4c": {
        "parameters",
        "width",
        "accuracy on test (%)",
        "best epoch",
        "final epoch",
        "final epoch, training labels",
    },
    "fig4d": {"parameters", "radius $R$ (center distances)", "center correlation ρ (0 to 1)"},
    "fig4e": {"parameters", "width", "dimension $D$ (directions)"},
    "descent_capacity": {"parameters", "capacity α (classes per feature)", "lower bound 2/M"},
    "figa1": {"layer", "epoch", "dep, unpermuted", "ind, permuted", "log$_{10}$ ‖∇L$_{dep}$‖²"},
    "decoding_layers": {"layer", "accuracy on test (%)", "the network itself", "nearest neighbors"},
    "decoding_epochs": {"epoch", "accuracy on test (%)", "network, head replaced"},
    **{f"fig5{letter}": {"layer", "epoch", "log$_{10}$ ‖∇L‖²"} for letter in "abc"},
    **{f"fig5{letter}": {"layer", "epoch", "log$_{10}$ of the ratio of ‖∇L‖²"} for letter in "defg"},
}


def study_for(name, seeds=(0,), model="mlp"):
    kind = FIGURES[name].kinds[0]
    makers = {"run": invented.study, "sweep": invented.sweep, "double_descent": invented.descent}
    return makers[kind](model, seeds) if kind == "run" else makers[kind](seeds=seeds)


def drawn(name, study, tmp_path, saved):
    assert missing(FIGURES[name], study) == ""
    path = FIGURES[name].draw(study, tmp_path / f"{name}.svg")
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    assert not plt.get_fignums()
    return saved[-1]


def check_can_be_read(name, seeds, tmp_path, monkeypatch):
    figure = drawn(name, study_for(name, seeds), tmp_path, watch(monkeypatch))
    assert complaints(figure) == []
    read = {re.sub(r" \(mean\)", "", text.get_text()).strip() for text in texts(figure)}
    assert LABELS[name] <= read
    # Maps of one run have no intervals to speak of.
    assert any("seed" in text for text in read) or (name.startswith(("fig5", "figa1", "map")) and len(seeds) == 1)


@pytest.mark.parametrize("name", quick(LABELS, LOOKS))
def test_every_figure_of_an_ensemble_can_be_read(name, tmp_path, monkeypatch):
    check_can_be_read(name, (0, 1, 2), tmp_path, monkeypatch)


@pytest.mark.parametrize("name", quick(LABELS, ("fig2a", "fig3b", "figa8")))
def test_every_figure_of_a_run_can_be_read(name, tmp_path, monkeypatch):
    check_can_be_read(name, (0,), tmp_path, monkeypatch)


@pytest.mark.parametrize("model", [pytest.param("vgg16", marks=SLOW), "resnet18_tiny"])
@pytest.mark.parametrize("name", quick(BY_LAYER, ("fig3b", "fig4b", "decoding_epochs")))
def test_deep_networks_fit(name, model, tmp_path, monkeypatch):
    figure = drawn(name, invented.study(model), tmp_path, watch(monkeypatch))
    assert complaints(figure) == []
    assert set(layer_names(model)) <= {text.get_text() for text in texts(figure)}


@SLOW
@pytest.mark.parametrize("model", set(MODELS) - {"mlp", "vgg16", "resnet18_tiny"})
@pytest.mark.parametrize("name", BY_LAYER)
def test_all_networks_fit(name, model, tmp_path, monkeypatch):
    assert complaints(drawn(name, invented.study(model), tmp_path, watch(monkeypatch))) == []


def test_networks_side_by_side_have_a_row_each(tmp_path, monkeypatch):
    figure = drawn("figa8", invented.sweep(("alexnet", "vgg16"), (0, 1)), tmp_path, watch(monkeypatch))
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


def test_a_name_is_shown_as_it_is_and_formulas_as_formulas(tmp_path, monkeypatch):
    table = invented.geometry("mlp").query("epoch == 2")
    names = dict(zip(table["layer"].unique(), ("a$\\frac{$", "b_1$x$y", "$$", "^_\\$", "ü<&>", "%", "#"), strict=True))
    saved = watch(monkeypatch)
    draw_geometry(table.assign(layer=table["layer"].map(names)), tmp_path / "names.svg")
    ElementTree.parse(tmp_path / "names.svg")
    read = {text.get_text(): text.get_parse_math() for text in texts(saved[-1])}
    assert [read[name] for name in list(names.values())[:3]] == [False] * 3
    assert set(names.values()) <= set(read)
    assert read["radius $R$ (center distances)"]


READERS_OWN = """
import os, sys
if sys.argv[2] == "first":
    os.environ.pop("MPLBACKEND")
    import matplotlib
    matplotlib.rcParams["text.usetex"] = True
    matplotlib.rcParams["font.size"] = 33
from memorize_jax.figures import draw_geometry
import matplotlib
from tests.figures import invented
def settings():
    # Looking at the backend in the usual way would choose one.
    return {name: dict.__getitem__(matplotlib.rcParams, name) for name in matplotlib.rcParams}

before = settings()
draw_geometry(invented.geometry("mlp").query("epoch == 2"), __import__("pathlib").Path(sys.argv[1]))
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
print(os.environ.get("MPLBACKEND"), dict.__getitem__(matplotlib.rcParams, "backend"))
"""


@pytest.mark.parametrize(
    ("backend", "order", "left"),
    [
        ("no_such", "ours", "no_such <object"),
        ("svg", "ours", "svg svg"),
        ("svg", "first", "None <object"),
    ],
)
def test_the_readers_matplotlib_is_left_as_it_is(tmp_path, backend, order, left):
    draw_geometry(invented.geometry("mlp").query("epoch == 2"), tmp_path / "usual.svg")
    there = python("-c", READERS_OWN, tmp_path / "there.svg", order, MPLBACKEND=backend)
    assert there.returncode == 0, there.stderr
    assert there.stdout.startswith(left)
    assert (tmp_path / "there.svg").read_bytes() == (tmp_path / "usual.svg").read_bytes()


@pytest.mark.parametrize("name", ["fig3a", "fig5a"])
def test_the_same_tables_give_the_same_bytes(name, tmp_path):
    study = study_for(name)
    first, second = (FIGURES[name].draw(study, tmp_path / file).read_bytes() for file in ("one.svg", "two.svg"))
    assert first == second


# --- what is drawn are the numbers of the tables


def line(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label)


def test_figure_3_shows_each_seeds_own_epoch_and_the_best_behind(tmp_path, monkeypatch):
    study = invented.study("mlp", (0, 1, 2))
    figure = drawn("fig3b", study, tmp_path, watch(monkeypatch))
    table = study.tables["geometry"]
    for stage, label in ((16, "permuted"), (2, None)):
        own = table[(table["group"] == "permuted") & (table["epoch"] == stage + table["seed"])]
        expected = own.groupby("layer_number")["capacity"].mean()
        curves = [line.get_ydata() for line in figure.axes[0].get_lines()]
        assert any(np.shape(curve) == (7,) and np.allclose(curve, expected) for curve in curves), label
    np.testing.assert_allclose(line(figure.axes[0], "lower bound 2/M").get_ydata(), 2 / 50)


@pytest.mark.parametrize(("model", "level", "paper"), [("vgg16", 99, "3"), ("alexnet", 95, "A.5")])
def test_the_interval_is_that_of_the_papers_figure_and_the_caption_says_how_claims_are_judged(
    model, level, paper, tmp_path, monkeypatch
):
    study = invented.study(model, (0, 1, 2))
    figure = drawn("fig3a", study, tmp_path, watch(monkeypatch))
    assert f"bands: {level} % Student-t interval, as in the paper's figure {paper}" in figure.get_suptitle()
    judged = "the claims sheet judges these measures by 99 % intervals"
    assert (judged in caption(FIGURES["fig3a"], study)) == (level != 99)
    assert judged not in caption(FIGURES["fig3a"], invented.study(model))


@pytest.mark.parametrize("name", ["fig3a", "map_capacity", "figa8", "descent_capacity"])
def test_capacities_with_a_margin_have_no_lower_bound(name, tmp_path, monkeypatch):
    study = study_for(name)
    table = FIGURES[name].needs[-1]
    with_margin = study._replace(tables=study.tables | {table: study.tables[table].assign(kappa=0.5)})
    read = " ".join(text.get_text() for text in texts(drawn(name, with_margin, tmp_path, watch(monkeypatch))))
    assert "bound" not in read
    assert "2/M" not in caption(FIGURES[name], with_margin)
    assert "margin (κ = 0.5)" in caption(FIGURES[name], with_margin)
    assert "lower bound 2/M of capacity" in caption(FIGURES[name], study)


def one_epoch():
    study = invented.study()
    metrics = study.tables["metrics"].assign(test_accuracy=study.tables["metrics"]["epoch"] / 20)
    return study._replace(tables=study.tables | {"metrics": metrics})


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (invented.study, "Drawn faded: the best epoch."),
        (one_epoch, "No curves are drawn faded behind: best and final epoch are one."),
        (
            lambda: with_table("geometry", invented.geometry("mlp").query("epoch != 2")),
            "No curves are drawn faded behind: the best epoch was not measured.",
        ),
    ],
)
def test_the_caption_of_the_final_epoch_says_what_is_faded(make, sentence, tmp_path, monkeypatch):
    study = make()
    assert sentence in caption(FIGURES["fig3b"], study)
    read = {text.get_text() for text in texts(drawn("fig3b", study, tmp_path, watch(monkeypatch)))}
    assert ("faded: best epoch" in read) == sentence.startswith("Drawn")


@pytest.mark.parametrize(("name", "is_said"), [("fig5a", False), ("fig5b", True), ("fig5d", False), ("figa1", True)])
def test_gradients_weighted_by_shares_are_called_so(name, is_said, tmp_path, monkeypatch):
    figure = drawn(name, by_shares((0, 1)), tmp_path, watch(monkeypatch))
    assert complaints(figure) == []
    assert ("weighted by their shares" in figure.get_suptitle()) == is_said
    assert ("weighted by their shares" in caption(FIGURES[name], by_shares())) == is_said
    assert "weighted" not in caption(FIGURES[name], invented.study())


# Figure -> table and column of which seed 1 has one number less.
INCOMPLETE = {
    "fig3b": ("geometry", "dimension"),
    "map_capacity": ("geometry", "capacity"),
    "figa8": ("geometry", "capacity"),
    "fig4b": ("rewinding", "test_accuracy"),
    "fig4e": ("double_descent", "dimension"),
    "fig5d": ("gradients", "squared_norm"),
    "decoding_layers": ("decoding", "test_accuracy"),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_means_over_fewer_seeds_are_called_so(name, tmp_path, monkeypatch):
    study, (table, column) = study_for(name, (0, 1, 2)), INCOMPLETE[name]
    saved = watch(monkeypatch)
    assert "mean of 3 seeds" in drawn(name, study, tmp_path, saved).get_suptitle()
    assert "at least" not in saved[-1].get_suptitle()
    rows = study.tables[table].reset_index(drop=True)
    place = "width" if table == "double_descent" else "layer"
    where = (rows["seed"] == 1) & rows[place].isin([8, "linear4", "conv7"])
    rows.loc[where, column] = np.nan
    figure = drawn(name, study._replace(tables=study.tables | {table: rows}), tmp_path, saved)
    assert "mean of 3 seeds (of 2 at least, where some have no number)" in figure.get_suptitle()
    assert complaints(figure) == []


@pytest.mark.parametrize("name", ["fig1a", "fig2b", "figa3"])
def test_figures_of_the_first_seed_say_so(name, tmp_path, monkeypatch):
    saved = watch(monkeypatch)
    for seeds, is_said in (((3, 4), True), ((3,), False)):
        study = invented.shown(seeds, "spheres" if name == "figa3" else "digits")
        figure = drawn(name, study, tmp_path, saved)
        assert ("seed 3, the first of 2" in {text.get_text().split("\n")[-1] for text in texts(figure)}) == is_said
        # Without axes, figure 1A has tick labels all the same.
        assert [found for found in complaints(figure) if "seed 3" in found] == []


def test_ratios_are_paired_by_seed(tmp_path, monkeypatch):
    study = invented.study(seeds=(0, 1))
    table = study.tables["gradients"].reset_index(drop=True)
    seed = table["seed"] == 1
    table.loc[seed, "squared_norm"] *= 100
    table.loc[seed & (table["part"] == "ind"), "squared_norm"] = 0
    figure = drawn("fig5d", study._replace(tables=study.tables | {"gradients": table}), tmp_path, watch(monkeypatch))
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), 1)


def test_rewinding_shows_percent_of_the_table(tmp_path, monkeypatch):
    study = invented.study()
    figure = drawn("fig4b", study, tmp_path, watch(monkeypatch))
    table = study.tables["rewinding"]
    own = table[table["layer"] == "linear4"].sort_values("rewind_epoch")
    np.testing.assert_allclose(line(figure.axes[0], "linear4").get_ydata(), 100 * own["test_accuracy"])
    peak = 100 * study.tables["metrics"]["test_accuracy"].max()
    np.testing.assert_allclose(line(figure.axes[0], "best epoch of training").get_ydata(), peak)


def test_rewinding_ends_with_each_seeds_own_final_network(tmp_path, monkeypatch):
    study = invented.study(seeds=(0, 1, 2))
    # Seed 0 ends at epoch 16, where the others, which end at 17 and 18, were not rewound to.
    table = study.tables["rewinding"]
    table = table[(table["rewind_epoch"] != 16) | (table["seed"] == 0)]
    study = study._replace(tables=study.tables | {"rewinding": table})
    figure = drawn("fig4b", study, tmp_path, watch(monkeypatch))
    own = table[table["layer"] == "linear4"].set_index(["seed", "rewind_epoch"])["test_accuracy"]
    curve = line(figure.axes[0], "linear4")
    np.testing.assert_allclose(curve.get_xdata(), [0, 1, 2, 4, 8, 16, 17])
    assert curve.get_ydata()[-1] == pytest.approx(100 * np.mean([own[seed, 16 + seed] for seed in range(3)]))
    at_16 = [own[0, 16], *(np.interp(16, [8, 16 + seed], [own[seed, 8], own[seed, 16 + seed]]) for seed in (1, 2))]
    assert curve.get_ydata()[-2] == pytest.approx(100 * np.mean(at_16))
    assert "right end: final epoch (16 to 18)" in figure.get_suptitle()
    assert "mean of their final networks" in caption(FIGURES["fig4b"], study)


def test_a_caption_says_that_rewinding_does_not_reach_the_final_network():
    table = invented.rewinding("mlp")
    study = with_table("rewinding", table[table["rewind_epoch"] < 16])
    assert "the curves end before the final network" in caption(FIGURES["fig4b"], study)
    assert "final network." not in FIGURES["fig4b"].remark(invented.study())


def test_ratios_are_differences_of_logarithms(tmp_path, monkeypatch):
    figure = drawn("fig5f", invented.study(seeds=(0, 1)), tmp_path, watch(monkeypatch))
    # dep of permuted and of unpermuted examples have the same made-up norm.
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), 0, atol=1e-12)
    figure = drawn("fig5d", invented.study(seeds=(0, 1)), tmp_path, watch(monkeypatch))
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), 1)


def test_activations_of_any_network_have_curves(tmp_path, monkeypatch):
    table = invented.geometry("mlp", groups=("all",), epochs=())
    saved = watch(monkeypatch)
    draw_geometry(table[table["epoch"] == 2], tmp_path / "own.svg")
    assert len(line(saved[-1].axes[0], "all").get_ydata()) == 7


# --- joint geometry


def first_version(study):
    """A study whose tables the first version wrote."""
    new = {name: invented.first_version(study.tables[name]) for name in ("geometry", "capacity_check")}
    return study._replace(tables=study.tables | new)


def test_joint_capacity_stands_beside_the_mean_field_one_and_bounds_are_hollow(tmp_path, monkeypatch):
    study = invented.study()
    figure = drawn("fig3b", study, tmp_path, watch(monkeypatch))
    table = study.tables["geometry"].query("group == 'restored' and epoch == 16").sort_values("layer_number")
    for axis, column in zip(figure.axes, ("capacity", "joint_capacity", "radius", "dimension"), strict=False):
        np.testing.assert_allclose(line(axis, "restored").get_ydata(), table[column])
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[3].get_title() == "of M = 50 examples per class"
    hollow = [own for own in figure.axes[1].get_lines() if own.get_markerfacecolor() == "white"]
    assert [own.get_xdata().tolist() for own in hollow] == 4 * [[6]]
    said = caption(FIGURES["fig3b"], study)
    assert "upper bounds (linear6)" in said
    assert (
        "with M = 50 any value above about 4 is a lower bound. Of a true dimension of 10, 50 examples show 67 %" in said
    )


def test_bars_of_one_seed_are_of_draws_and_of_examples(tmp_path, monkeypatch):
    table = invented.geometry("mlp").assign(example_repeats=3, joint_capacity_example_sd=0.003, radius_example_sd=0.05)
    study = with_table("geometry", table.assign(joint_capacity_standard_error=0.004))
    figure = drawn("fig3a", study, tmp_path, watch(monkeypatch))
    assert "of the Gaussian draws and of the choice of examples" in figure.get_suptitle()
    for axis, size in ((figure.axes[1], 0.005), (figure.axes[2], 0.05)):
        (low, high), *_ = axis.collections[0].get_segments()
        assert high[1] - low[1] == pytest.approx(4 * size)
    assert "choice of examples" not in drawn("fig3a", invented.study(), tmp_path, watch(monkeypatch)).get_suptitle()


def test_tables_of_the_first_version_are_drawn_without_joint_capacity(tmp_path, monkeypatch):
    study, saved = first_version(invented.study()), watch(monkeypatch)
    assert len(drawn("fig3b", study, tmp_path, saved).axes) == 4
    assert complaints(saved[-1]) == []
    assert "oint capacity" not in caption(FIGURES["fig3b"], study)
    (axis,) = drawn("fig1b", study, tmp_path, saved).axes
    assert axis.get_xlabel() == "mean-field capacity α (classes per feature)"
    for name in ("fig3_split", "map_joint_capacity"):
        reason = "no joint geometry; measure it with: python -m experiments.geometry --workdir=/made/up"
        assert reason in missing(FIGURES[name], study)
    assert missing(FIGURES["map_capacity"], study) == ""


def test_figure_1b_shows_both_theories_against_the_simulation(tmp_path, monkeypatch):
    study = invented.study()
    table = study.tables["capacity_check"]
    fewer = study._replace(tables=study.tables | {"capacity_check": table.assign(joint_classes=7)})
    figure = drawn("fig1b", fewer, tmp_path, watch(monkeypatch))
    assert complaints(figure) == []
    assert [axis.get_xlabel().partition(" ")[0] for axis in figure.axes] == ["mean-field", "joint"]
    assert "joint: 7 of the classes in a draw" in figure.get_suptitle()
    for axis, column in zip(figure.axes, ("mean_field_capacity", "joint_capacity"), strict=True):
        (own,) = [own for own in axis.containers if own.get_label() == "restored"]
        last = table.query("group == 'restored' and epoch == 16 and bound == 0")
        np.testing.assert_allclose(own[0].get_xdata().astype(float), last[column])
        np.testing.assert_allclose(own[0].get_ydata().astype(float), last["simulated_capacity"])
    assert "in a draw" not in drawn("fig1b", study, tmp_path, watch(monkeypatch)).get_suptitle()


def test_the_map_of_joint_capacity_is_of_its_column(tmp_path, monkeypatch):
    study = invented.study()
    figure = drawn("map_joint_capacity", study, tmp_path, watch(monkeypatch))
    own = study.tables["geometry"].query("group == 'unpermuted'")
    wide = own.pivot(index="layer_number", columns="epoch", values="joint_capacity")
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), wide)


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


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_bars_of_the_split_add_up_to_the_point(seeds, tmp_path, monkeypatch):
    study = invented.study(seeds=seeds)
    figure = drawn("fig3_split", study, tmp_path, watch(monkeypatch))
    assert complaints(figure) == []
    axis = figure.axes[1]
    assert axis.get_title() == "permuted"
    heights = sum(np.array([bar.get_height() for bar in bars]) for bars in axis.containers if bars.get_label() in PARTS)
    (point,) = [own for own in axis.containers if own.get_label() == "sum"]
    np.testing.assert_allclose(heights[:-1], point[0].get_ydata()[:-1])
    table = study.tables["geometry"].query("group == 'permuted' and layer == 'linear2'").set_index(["seed", "epoch"])
    logs = np.log(table["joint_capacity"])
    assert heights[2] == pytest.approx(np.mean([logs[seed, 16 + seed] - logs[seed, 2 + seed] for seed in seeds]))
    # A bound is no number.
    assert np.isnan(point[0].get_ydata()[-1])
    assert "Without bars are joint capacities known only as upper bounds (linear6)" in caption(
        FIGURES["fig3_split"], study
    )


# --- what cannot be drawn


@pytest.mark.parametrize("name", FIGURES)
def test_a_missing_table_names_its_command(name):
    study = study_for(name)._replace(tables={})
    table = FIGURES[name].needs[0]
    reason = missing(FIGURES[name], study)
    assert reason.startswith(f"no table {table}; make it with: python -m experiments.")
    assert reason.endswith("--workdir=/made/up")


def without_final_epoch():
    study = invented.study()
    tables = {name: table[table["epoch"] != 16] for name, table in study.tables.items() if "epoch" in table}
    return study._replace(tables=tables | {"metrics": study.tables["metrics"]})


def with_table(name, table, seeds=(0,)):
    study = invented.study(seeds=seeds)
    return study._replace(tables=study.tables | {name: table})


def apart(name, column):
    """Two seeds, of which a table has one epoch each, their best ones."""
    table = invented.study(seeds=(0, 1)).tables[name]
    own = table[table[column] == 2].assign(**{column: 2 + table["seed"]})
    return with_table(name, own, (0, 1))


def by_shares(seeds=(0,)):
    return with_table("gradients", invented.gradients("mlp", seeds).assign(weighting="share"), seeds)


def first_version_of_sweep():
    study = invented.sweep()
    return study._replace(tables=study.tables | {"geometry": invented.first_version(study.tables["geometry"])})


OBSTACLES = {
    "no final epoch": (
        "fig3b",
        without_final_epoch,
        "geometry was not measured at epoch 16; measure it with: .* --geometry_epochs=best,final",
    ),
    "nothing changed": ("fig3_split", one_epoch, "best and final epoch are one"),
    "one of the two": ("fig3_split", without_final_epoch, "geometry was not measured at epoch 16"),
    "no joint fractions": (
        "figa8_joint",
        first_version_of_sweep,
        "no joint geometry; measure it with: .*experiments.geometry",
    ),
    "two epochs": (
        "map_capacity",
        lambda: with_table("geometry", invented.geometry("mlp", epochs=(2, 16))),
        "has 2 epochs of all seeds, and a map needs 3; measure more with: .* --geometry_epochs=log,best,final",
    ),
    "gradients of seeds at epochs of their own": (
        "figa1",
        lambda: apart("gradients", "epoch"),
        "table gradients has 0 epochs of all seeds, and a map needs 1; .* --gradient_epochs=log,best,final",
    ),
    "seeds rewound to epochs of their own": (
        "fig4b",
        lambda: apart("rewinding", "rewind_epoch"),
        "linear1 was rewound to no epoch that all seeds reach; .* --rewind_epochs=log,best,final",
    ),
    "shares of the groups in a ratio": (
        "fig5g",
        by_shares,
        "groups were weighted by their shares.*; measure with: .* --gradient_weighting=subset",
    ),
    "the other direction": (
        "fig4a",
        lambda: with_table("rewinding", invented.rewinding("mlp", into="early")),
        "--rewind_into=final",
    ),
    "no permuted labels": (
        "rewinding_restored",
        lambda: invented.study()._replace(permuted_fraction=0.0),
        "no labels were permuted",
    ),
    "no permuted examples": (
        "fig5f",
        lambda: with_table("gradients", invented.gradients("mlp", groups=("all", "unpermuted"))),
        "there are no permuted examples",
    ),
    "a run, no sweep": (
        "figa8",
        invented.study,
        "python -m experiments.sweep --workdir=FOLDER --grid=permuted_fraction=",
    ),
    "a run, one width": ("fig4e", invented.study, "python -m experiments.double_descent --workdir=FOLDER"),
    "a sweep, no run": ("fig3a", invented.sweep, "give its folder, in /made/up, as --workdir"),
    "one fraction": ("figa8", lambda: invented.sweep(fractions=(0.5,)), "needs runs of several fractions"),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_what_stands_in_the_way_is_said(case):
    name, make, message = OBSTACLES[case]
    assert re.search(message, missing(FIGURES[name], make()))


def test_a_sweep_whose_geometry_is_not_done_names_the_run():
    study = invented.sweep()
    geometry = study.tables["geometry"]
    done = study._replace(tables=study.tables | {"geometry": geometry[geometry["run"] != "alexnet0.5"]})
    assert "the geometry of run alexnet0.5 is missing" in missing(FIGURES["figa8"], done)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_run_without_some_group_is_drawn_without_it(fraction, tmp_path, monkeypatch):
    groups = ("unpermuted", "test") if fraction == 0 else ("permuted", "restored", "test")
    tables = {"metrics": invented.metrics(permuted=fraction > 0), "geometry": invented.geometry("mlp", groups=groups)}
    study = invented.study()._replace(tables=tables, permuted_fraction=fraction)
    saved = watch(monkeypatch)
    for name in ("fig2a", "fig3b"):
        read = {text.get_text() for text in texts(drawn(name, study, tmp_path, saved))}
        assert ("permuted" in read) == (fraction > 0)


# --- names


def test_every_figure_of_the_paper_that_is_a_measurement_has_a_name():
    measured = {"fig2a", "fig3a", "fig3b", *(f"fig4{letter}" for letter in "abcde")}
    measured |= {f"fig5{letter}" for letter in "abcdef"} | {"figa1", *(f"figa{number}" for number in range(4, 15))}
    assert measured <= {*FIGURES, *ALIASES}
    assert all(set(alias.figures) <= set(FIGURES) and alias.model in MODELS for alias in ALIASES.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fig3a", ["fig3a"]),
        ("fig3", ["fig3a", "fig3b"]),
        ("figa1", ["figa1"]),
        ("figa5", ["fig3a", "fig3b"]),
        ("fig4b, figa8,fig4a", ["figa8", "fig4a", "fig4b"]),
        ("all", list(FIGURES)),
    ],
)
def test_figures_are_chosen_by_name(text, expected):
    assert [figure.name for figure in select(text)] == expected


@pytest.mark.parametrize("text", ["fig9", "", "fig3a,", "figa", "fig3c", "*"])
def test_an_unknown_name_is_answered_with_those_there_are(text):
    with pytest.raises(ValueError, match=r"expected figures among all, fig1a, .*, figa14, got '"):
        select(text)


def test_the_papers_figure_of_another_network_is_refused():
    assert [figure.name for figure in select("figa9", "alexnet")] == ["fig4a", "fig4b"]
    with pytest.raises(ValueError, match="figa9 is the paper's fig4a and fig4b for alexnet, and this is mlp"):
        select("figa9", "mlp")


def test_a_caption_names_the_papers_figure_of_the_network():
    assert caption(FIGURES["fig3a"], invented.study("alexnet")).endswith("The paper's figure for this network is A.5.")
    assert "The paper's figure" not in caption(FIGURES["fig3a"], invented.study("masc_mlp"))


def test_the_document_lists_them_all():
    text = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    listed = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    figures = [
        [f"| `{figure.name}`", figure.title, ", ".join(figure.kinds).replace("_", " "), f"{', '.join(figure.needs)} |"]
        for figure in FIGURES.values()
    ]
    aliases = [
        [f"| `{name}`", alias.model, f"{', '.join(f'`{figure}`' for figure in alias.figures)} |"]
        for name, alias in ALIASES.items()
    ]
    assert listed == [*figures, *aliases]
