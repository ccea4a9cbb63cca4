"""The catalog of figures: what every entry must say, by which names it is found, and when it cannot be drawn."""

import re

import pytest

from memorize_jax.figures.figure import ANY_FIELD, INSTEAD, instead, missing
from memorize_jax.measurements import registry
from memorize_jax.models import MODELS
from memorize_jax.report.catalog import aliases, caption, select
from tests.commands import ROOT
from tests.figures import invented
from tests.figures.invented import GRID, RUN, SWEEP, THREE, WIDTHS_OF_THREE, changed, grid

FIGURES = registry.figures()
# What the documents call the studies that a figure is drawn from.
KINDS = {(): "run, ensemble", ("permuted_fraction",): "sweep", ("width",): "double descent"}
KINDS |= {ANY_FIELD: "sweep"}


def test_every_figure_says_all_there_is_to_say():
    entries = [figure for one in registry.measurements().values() for figure in one.figures]
    assert len(FIGURES) == len(entries)
    for figure in entries:
        assert re.fullmatch(r"[a-z]\w+", figure.name)
        assert len(figure.title) > 10
        assert figure.look_for.endswith("."), figure.name
        assert figure.needs, figure.name
        assert set(figure.needs) <= set(registry.tables()), figure.name
        assert figure.axes in KINDS, figure.name
        assert set(figure.axes) <= set(INSTEAD)
        assert set(figure.aliases.values()) <= set(MODELS)


@pytest.mark.parametrize("name", ["fig3a", "fig3b", "fig4c", "fig4e", "figa8"])
def test_what_only_the_paper_found_is_said_of_the_paper(name):
    """A study may find otherwise, and its figure has the same caption."""
    assert FIGURES[name].look_for.startswith("In the paper, ")


@pytest.mark.parametrize("name", FIGURES)
def test_what_a_figure_misses_is_said_with_the_command(name):
    figure = FIGURES[name]
    base = invented.of_axes(figure.axes)
    made_by = registry.tables()[figure.needs[0]][1]
    expected = f"no table {figure.needs[0]}; make it with: python -m experiments.{made_by} --workdir=/made/up"
    assert missing(figure, base._replace(tables={})) == expected
    if figure.axes:
        assert missing(figure, RUN) == instead(figure.axes[0])
    else:
        assert "give its folder, in /made/up, as --workdir" in missing(figure, SWEEP)


def one_epoch():
    metrics = RUN.tables["metrics"]
    return changed(RUN, metrics=metrics.assign(test_accuracy=metrics["epoch"] / 20))


def without_final_epoch():
    tables = {name: table[table["epoch"] != 16] for name, table in RUN.tables.items() if "epoch" in table}
    return RUN._replace(tables=tables | {"metrics": RUN.tables["metrics"]})


def apart(name, column, first=2):
    """Two seeds, of which a table has one epoch each: by default their best ones."""
    base = invented.study(seeds=(0, 1))
    table = base.tables[name]
    return changed(base, **{name: table[table[column] == 2].assign(**{column: first + table["seed"]})})


def first_version(base):
    """A study whose tables the first version wrote."""
    names = {"geometry", "capacity_check"} & set(base.tables)
    return changed(base, **{name: invented.first_version(base.tables[name]) for name in names})


def by_shares(base=RUN):
    return changed(base, gradients=base.tables["gradients"].assign(weighting="share"))


RETRAINING, ONE_LAYER = RUN.tables["retraining"], RUN.tables["rewinding"].query("num_layers == 1")
GEOMETRY, SWEPT = RUN.tables["geometry"], SWEEP.tables["geometry"]
READ = RUN.tables["decoding"]
NO_PERMUTED = invented.gradients("mlp", groups=("all", "unpermuted"))
OF_HALF, HALF = SWEPT["run"] == "alexnet0.5", "--workdir=/made/up/alexnet0.5"
MEASURED_OTHERWISE = SWEEP._replace(settings={"geometry": {"alexnet0.0": {"kappa": 0}, "alexnet0.5": {"kappa": 1}}})
NOT_AT_16 = "not measured at epoch 16; measure it with: "
NOT_FINAL = f"geometry was {NOT_AT_16}.* --geometry_epochs=best,final"
FEW, MORE = "epochs of all seeds, and a map needs [13]; measure more with: .* --", "epochs=log,best,final"
NO_JOINT = "no joint geometry; measure it with: python -m experiments.geometry --workdir=/made/up"
SHARES = "groups were weighted by their shares.*; measure with: .* --gradient_weighting=subset"
SIMILAR = RUN.tables["similarity"]
ONE_COMPARED = SIMILAR.query("epoch_a == 2 or (epoch_a == 16 and epoch_b == 2)")
WIDTHS = invented.descent()
OF_TWO_FRACTIONS = changed(
    WIDTHS._replace(axes=("width", "permuted_fraction")),
    double_descent=WIDTHS.tables["double_descent"].assign(permuted_fraction=lambda rows: 0.1 * (1 + rows.index % 2)),
)
OF_FOUR = grid(dict.fromkeys("abcd", (1, 2)))
OBSTACLES = [
    ("few_shot", without_final_epoch(), "few_shot was not measured at epoch 16; measure it with: .*=best,final"),
    ("similarity_epochs", changed(RUN, similarity=ONE_COMPARED), f"2 epochs were compared .*--similarity_{MORE}"),
    (
        "similarity_layers",
        changed(RUN, similarity=SIMILAR.query("epoch_b == 2 and epoch_a != 2")),
        "at neither the best",
    ),
    ("similarity_runs", changed(RUN, similarity=invented.similarity(other=False)), "no other run .* --other=FOLDER"),
    ("fig3b", without_final_epoch(), NOT_FINAL),
    ("fig3_split", without_final_epoch(), NOT_FINAL),
    ("fig3_split", one_epoch(), "best and final epoch are one"),
    ("fig3_split", first_version(RUN), NO_JOINT),
    ("map_joint_capacity", first_version(RUN), NO_JOINT),
    ("figa8_joint", first_version(SWEEP), NO_JOINT),
    ("participation", first_version(RUN), "no participation ratios; measure them with: python -m experiments.geometry"),
    ("participation", without_final_epoch(), NOT_FINAL),
    ("drift", without_final_epoch(), NOT_FINAL.replace("geometry", "collapse").replace("best", "log,best")),
    ("drift", changed(RUN, collapse=RUN.tables["collapse"].assign(drift=float("nan"))), "no label was permuted"),
    ("map_capacity", changed(RUN, geometry=GEOMETRY[GEOMETRY["epoch"].isin((2, 16))]), f"has 2 {FEW}geometry_{MORE}"),
    ("figa1", apart("gradients", "epoch", first=5), f"table gradients has 0 {FEW}gradient_{MORE}"),
    ("fig4b", apart("rewinding", "rewind_epoch"), f"linear1 was rewound to no epoch that all .* --rewind_{MORE}"),
    ("fig5g", by_shares(), SHARES),
    ("fig5f", changed(RUN, gradients=NO_PERMUTED), "there are no permuted examples"),
    ("fig4a", changed(RUN, rewinding=invented.rewinding("mlp", into="early")), "--rewind_into=final"),
    ("rewinding_restored", RUN._replace(permuted_fraction=0.0), "no labels were permuted"),
    ("swap", changed(RUN, rewinding=invented.rewinding("mlp")), "--source=OTHER_FOLDER --rewind_into=both"),
    ("swap_windows", changed(RUN, rewinding=ONE_LAYER), "no windows of several lengths .* --rewind_layers=windows"),
    ("retraining", changed(RUN, retraining=RETRAINING.assign(num_layers=2)), "--retrain_layers=each"),
    ("localization", RUN._replace(permuted_fraction=0.0), "no labels were permuted"),
    ("localization", changed(RUN, rewinding=invented.rewinding("mlp", into="early")), "no single layer was rewound in"),
    (
        "decoding_epochs",
        changed(RUN, decoding=READ.query("epoch == 16")),
        "read at 1 epoch, .* --decoding_epochs=0,b",
    ),
    (
        "decoding_epochs",
        changed(THREE, decoding=THREE.tables["decoding"].query("epoch > 5")),
        "read at 0 epochs of all seeds, and a curve needs two",
    ),
    ("figa8", RUN, "python -m experiments.sweep --workdir=FOLDER --grid=permuted_fraction="),
    ("figa8", invented.sweep(fractions=(0.5,)), "needs runs of several fractions"),
    ("figa8", changed(SWEEP, geometry=SWEPT[~OF_HALF]), f"the geometry of run alexnet0.5 is missing; .*{HALF}"),
    ("figa8", changed(SWEEP, geometry=SWEPT[~OF_HALF | (SWEPT["epoch"] != 16)]), f"seed 0, was {NOT_AT_16}.*{HALF} "),
    (
        "figa8",
        MEASURED_OTHERWISE,
        "geometry of run alexnet0.5 was .* other settings .* alexnet0.0: kappa=1 .there: 0.;",
    ),
    ("epochwise", RUN, "python -m experiments.sweep --workdir=FOLDER --grid=permuted_fraction="),
    ("epochwise", invented.sweep(("alexnet", "vgg16")), "the runs differ also in model; make a sweep over fractions"),
    ("memorization_by_layer", RUN, "sweep --workdir=FOLDER --grid=learning_rate=1e-4,1e-3 --grid=width=64,256"),
    ("memorization_by_layer", GRID._replace(layers=()), "differ in their layers, which cannot be compared"),
    ("memorization_by_layer", GRID._replace(layers=("linear1", "linear2")), "has one hidden layer"),
    ("memorization_by_layer", grid({"width": (4,)}), "the runs do not differ in width"),
    ("memorization_by_layer", grid({"width": range(9)}), "9 values of width; at most 8 can be told apart"),
    ("memorization_by_layer", OF_FOUR, "varies a, b, c, d; at most 3 can be told apart"),
    ("memorization_by_layer", SWEEP, "permuted fraction 0 and permuted .* 1 .the network learned too little"),
    ("fig4e", RUN, "python -m experiments.double_descent --workdir=FOLDER"),
    ("fig4e", OF_TWO_FRACTIONS, "the networks differ also in permuted_fraction; draw those of each alone"),
    ("figa2", invented.shown(), "the network has one hidden layer, so none is earlier than the last"),
    ("figa3", invented.shown(), "its data are digits, not the synthetic spheres"),
    ("fig1a", invented.shown(dataset="spheres"), "its examples are points, not images"),
]


@pytest.mark.parametrize(("name", "study", "message"), OBSTACLES, ids=[name for name, *_ in OBSTACLES])
def test_an_obstacle_is_said(name, study, message):
    assert re.search(message, missing(FIGURES[name], study))


def test_tables_of_the_first_version_still_have_a_map_of_mean_field_capacity():
    assert missing(FIGURES["map_capacity"], first_version(RUN)) == ""


# --- captions

REWINDING, LATE = RUN.tables["rewinding"], "the curves end before the final network"
JUDGED = "the claims sheet judges these measures by 99 % intervals"
M_50 = "with M = 50 any value above about 4 is a lower bound. Of a true dimension of 10, 50 examples show 67 %"
OF_THREE = THREE.tables["geometry"]
ONE_OF_THREE = OF_THREE["layer"].eq("linear6") | OF_THREE.eval(
    "layer == 'linear3' and group == 'permuted' and seed == 1"
)
SOME_BOUNDS = changed(THREE, geometry=OF_THREE.assign(joint_status=128 * ONE_OF_THREE))
AT_BEST = OF_THREE.eval("layer == 'linear3' and group == 'permuted' and epoch == 2 + seed")
AT_END = OF_THREE.eval("layer == 'linear3' and group == 'test' and epoch == 17 and seed == 1")
AT_BOTH = changed(THREE, geometry=OF_THREE.assign(joint_status=128 * (AT_BEST | AT_END)))


FEW_SHOT = RUN.tables["few_shot"]
OF_12 = FEW_SHOT.assign(examples_per_class=FEW_SHOT["group"].map({"test": 12}).fillna(30).astype(int))


def narrow(**where):
    """Widths of which some capacities are only bounds."""
    return changed(WIDTHS_OF_THREE, double_descent=invented.bounds(WIDTHS_OF_THREE.tables["double_descent"], **where))


CAPTIONS = [
    ("fig3b", RUN, "Drawn faded: the best epoch.", True),
    ("fig3b", one_epoch(), "No curves are drawn faded behind: best and final epoch are one.", True),
    ("fig3b", changed(RUN, geometry=GEOMETRY.query("epoch != 2")), "behind: the best epoch was not measured.", True),
    ("fig3b", RUN, "upper bounds (linear6)", True),
    ("fig3b", SOME_BOUNDS, "(linear3 of permuted in 1 of 3 seeds; linear6): the layer", True),
    ("fig3b", AT_BOTH, "(at the best epoch linear3 of permuted; at the final epoch linear3 of test in 1 of 3", True),
    ("fig3a", AT_BOTH, "Hollow points are joint capacities known only as upper bounds (linear3 of permuted)", True),
    ("fig3b", RUN, M_50, True),
    ("fig3b", first_version(RUN), "oint capacity", False),
    ("fig3_split", RUN, "Without bars are joint capacities known only as upper bounds (linear6)", True),
    ("fig3_split", SOME_BOUNDS, "(linear3 of permuted in 1 of 3 seeds; linear6): the layer", True),
    ("fig4e", narrow(width=(1, 3)), "the capacity of some seed is only a bound: width 1, 3.", True),
    ("fig4e", narrow(width=(1, 3), seed=1, moment="best"), ": width 1 (best epoch only), 3 (best epoch only).", True),
    ("fig4e", WIDTHS_OF_THREE, "left out", False),
    ("figa8_joint", SWEEP, "upper bounds", False),
    ("figa8_joint", changed(SWEEP, geometry=invented.bounds(SWEPT, epoch=16)), "bounds (conv1, conv5, conv7)", True),
    ("fig3a", invented.study("vgg16", (0, 1)), JUDGED, False),
    ("fig3a", invented.study("alexnet", (0, 1)), JUDGED, True),
    ("fig3a", invented.study("alexnet"), JUDGED, False),
    ("fig3a", invented.study("alexnet"), "The paper's figure for this network is A.5.", True),
    ("fig3a", invented.study("masc_mlp"), "The paper's figure", False),
    ("fig4b", changed(RUN, rewinding=REWINDING[REWINDING["rewind_epoch"] < 16]), LATE, True),
    ("fig4b", RUN, LATE, False),
    ("fig4b", THREE, "mean of their final networks", True),
    (
        "fig2a",
        THREE,
        "(16 to 18): means and bands end where the first of them ends. Thin lines are single seeds.",
        True,
    ),
    ("fig2a", RUN, "first of them ends", False),
    ("fig2a", RUN, "Thin lines", False),
    ("fig2a", RUN, "in the paper accuracy on the assigned training labels goes to 100 %", True),
    (
        "retraining",
        THREE,
        "Retraining ended after 6 to 8 epochs, for each seed and layer at its own: from there on",
        True,
    ),
    ("retraining", RUN, "Retraining ended", False),
    ("similarity_epochs", THREE, "Seeds have best epochs of their own (2 to 4): each is 1 at another epoch", True),
    ("similarity_epochs", RUN, "best epochs of their own", False),
    ("similarity_epochs", THREE, "where it is 1", False),
    ("few_shot", changed(RUN, few_shot=OF_12), "with M = 12 to 30 examples of a class", True),
    ("few_shot", RUN, "with M = 30 examples of a class", True),
    ("fig2b", invented.shown(), "Points of a color and a marker share a label", True),
    ("localization", RUN, "The right panel rests on 4 permuted and 4 unpermuted examples, and has no output", True),
    ("localization", THREE, "rests on 4 to 6 permuted and 4 to 6 unpermuted examples of each seed", True),
    ("fig5a", by_shares(), "weighted", False),
    ("fig5b", by_shares(), "weighted by their shares", True),
    ("fig5d", by_shares(), "weighted", False),
    ("figa1", by_shares(), "weighted by their shares", True),
    ("fig5b", RUN, "weighted", False),
]


@pytest.mark.parametrize(("name", "study", "sentence", "is_said"), CAPTIONS, ids=[name for name, *_ in CAPTIONS])
def test_a_caption_says_what_is_so(name, study, sentence, is_said):
    assert (sentence in caption(FIGURES[name], study)) == is_said


# --- names


def test_every_figure_of_the_paper_that_is_a_measurement_has_a_name():
    measured = {"fig2a", "fig3a", "fig3b", *(f"fig4{letter}" for letter in "abcde")}
    measured |= {f"fig5{letter}" for letter in "abcdef"} | {"figa1", *(f"figa{number}" for number in range(4, 15))}
    assert measured <= {*FIGURES, *aliases()}


CHOSEN = {"fig3a": "fig3a", "fig3": "fig3a fig3b", "figa1": "figa1", "figa5": "fig3a fig3b", "all": " ".join(FIGURES)}
CHOSEN |= {"fig4b, figa8,fig4a": "fig4a fig4b figa8"}


@pytest.mark.parametrize(("text", "expected"), CHOSEN.items())
def test_figures_are_chosen_by_name(text, expected):
    assert [figure.name for figure in select(text)] == expected.split()


@pytest.mark.parametrize("text", ["fig9", "", "fig3a,", "figa", "fig3c", "*"])
def test_an_unknown_name_is_answered_with_those_there_are(text):
    with pytest.raises(ValueError, match=r"expected figures among all, fig1a, .*, figa14, got '"):
        select(text)


def test_the_papers_figure_of_another_network_is_refused():
    assert [figure.name for figure in select("figa9", "alexnet")] == ["fig4a", "fig4b"]
    with pytest.raises(ValueError, match="figa9 is the paper's fig4a and fig4b for alexnet, and this is mlp"):
        select("figa9", "mlp")


def test_the_document_lists_them_all():
    text = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if line.startswith("| `")]
    rows = [(f"`{own.name}`", own.title, KINDS[own.axes], ", ".join(own.needs)) for own in FIGURES.values()]
    rows += [(f"`{alias}`", of, ", ".join(f"`{name}`" for name in names)) for alias, (of, names) in aliases().items()]
    assert listed == [f"| {' | '.join(row)} |" for row in rows]
