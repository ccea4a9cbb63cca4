"""Figures of rewound and of retrained layers: where curves begin and end, and what is named."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.figures.figure import missing
from memorize_jax.measurements import registry
from memorize_jax.report.catalog import caption
from tests.figures.invented import RUN, THREE, changed
from tests.figures.seen import complaints, texts
from tests.figures.test_numbers import line

FIGURES = registry.figures()
STRAIGHT = "between the epochs of a seed its line is straight"


def test_rewinding_shows_percent_of_the_table(gallery):
    axis, table = gallery.drawn("fig4b").axes[0], RUN.tables["rewinding"].query("source == 'self'")
    own = table[table["layer"] == "linear4"].sort_values("rewind_epoch")
    np.testing.assert_allclose(line(axis, "linear4").get_ydata(), 100 * own["test_accuracy"])
    peak = 100 * RUN.tables["metrics"]["test_accuracy"].max()
    np.testing.assert_allclose(line(axis, "best epoch of training").get_ydata(), peak)


def test_rewinding_ends_with_each_seeds_own_final_network(gallery):
    # Seed 0 ends at epoch 16, where the others, which end at 17 and 18, were not rewound to.
    table = THREE.tables["rewinding"]
    table = table[(table["rewind_epoch"] != 16) | (table["seed"] == 0)]
    figure = gallery.drawn("fig4b", THREE, rewinding=table)
    own = table[table["layer"] == "linear4"].set_index(["seed", "rewind_epoch"])["test_accuracy"]
    curve = line(figure.axes[0], "linear4")
    np.testing.assert_allclose(curve.get_xdata(), [0, 1, 2, 4, 8, 16, 17])
    assert curve.get_ydata()[-1] == pytest.approx(100 * np.mean([own[seed, 16 + seed] for seed in range(3)]))
    at_16 = [own[0, 16], *(np.interp(16, [8, 16 + seed], [own[seed, 8], own[seed, 16 + seed]]) for seed in (1, 2))]
    assert curve.get_ydata()[-2] == pytest.approx(100 * np.mean(at_16))
    assert "right end: final epoch (16 to 18)" in figure.get_suptitle()
    assert STRAIGHT in figure.get_suptitle()


def test_the_final_network_is_a_line_where_no_curve_ends_with_it(gallery):
    rewinding, metrics = (THREE.tables[name] for name in ("rewinding", "metrics"))
    base = changed(THREE, rewinding=rewinding[rewinding["rewind_epoch"] < 5])
    finals = metrics[metrics["epoch"] == 16 + metrics["seed"]]
    for name, column in (("fig4a", "train"), ("fig4b", "test"), ("rewinding_restored", "restored")):
        (axis,) = gallery.drawn(name, base).axes
        expected = 100 * finals[f"{column}_accuracy"].mean()
        np.testing.assert_allclose(line(axis, "final network").get_ydata(), expected)
    assert "above the thin black line, the final network" in caption(FIGURES["fig4b"], base)
    assert "right end" not in caption(FIGURES["fig4b"], base)


def test_curves_say_where_seeds_have_epochs_of_their_own(gallery):
    decoding, similarity = THREE.tables["decoding"], THREE.tables["similarity"]
    alike = pd.concat([decoding[decoding["seed"] == 0].assign(seed=seed) for seed in THREE.seeds])
    differ = alike[(alike["seed"] == 0) | (alike["epoch"] > 0)]
    assert STRAIGHT not in gallery.drawn("decoding_epochs", THREE, decoding=alike).get_suptitle()
    assert STRAIGHT in gallery.drawn("decoding_epochs", THREE, decoding=differ).get_suptitle()
    differ = similarity[(similarity["seed"] == 0) | (similarity["epoch_a"] > 0)]
    assert STRAIGHT in gallery.drawn("similarity_epochs", THREE, similarity=differ).get_suptitle()


def without_numbers(table, column, seeds):
    """A table whose networks of epoch 8 were damaged in these seeds."""
    epoch = next(name for name in ("epoch_a", "rewind_epoch", "epoch") if name in table)
    return table.assign(**{column: table[column].mask((table[epoch] == 8) & table["seed"].isin(seeds))})


def alike():
    """Three seeds with the same epochs."""
    own = THREE.tables["decoding"].query("seed == 0")
    decoding = pd.concat([own, own[own["epoch"] == 16].assign(epoch=8)])
    tables = {"decoding": decoding, "similarity": RUN.tables["similarity"], "rewinding": RUN.tables["rewinding"]}
    same = {name: pd.concat([table.assign(seed=seed) for seed in range(3)]) for name, table in tables.items()}
    metrics = pd.concat([RUN.tables["metrics"].assign(seed=seed) for seed in range(3)])
    return changed(THREE, metrics=metrics, **same)


FILLED = [
    ("similarity_epochs", "similarity", "cka_debiased"),
    ("decoding_epochs", "decoding", "test_accuracy"),
    ("fig4b", "rewinding", "test_accuracy"),
]


@pytest.mark.parametrize(("name", "table", "column"), FILLED)
def test_what_was_not_measured_has_no_marker(name, table, column, gallery):
    """Of one seed it is no place of its curve; of several the others' mean has it, without a marker, and says so."""
    base = alike()
    curve = lambda seeds: line(drawn(seeds).axes[0], "linear4")
    drawn = lambda seeds: gallery.drawn(name, base, **{table: without_numbers(base.tables[table], column, seeds)})
    marked = lambda one: [float(place) for place, own in zip(one.get_xdata(), one.get_markevery(), strict=True) if own]
    assert 8 in marked(curve([]))
    assert STRAIGHT not in drawn([]).get_suptitle()
    assert 8 in curve([1]).get_xdata()
    assert marked(curve([1])) == [place for place in marked(curve([])) if place != 8]
    assert f"{STRAIGHT};" in drawn([1]).get_suptitle()
    assert complaints(drawn([1])) == []
    assert list(curve([0, 1, 2]).get_xdata()) == [place for place in curve([]).get_xdata() if place != 8]
    assert STRAIGHT not in drawn([0, 1, 2]).get_suptitle()


def test_a_run_without_a_test_set_has_no_curve_of_it():
    rewinding = RUN.tables["rewinding"].assign(test_accuracy=np.nan)
    assert missing(FIGURES["fig4b"], changed(RUN, rewinding=rewinding)) == "the run has no accuracy on test"
    assert missing(FIGURES["fig4a"], changed(RUN, rewinding=rewinding)) == ""


def test_retraining_is_straight_between_a_seeds_epochs_and_holds_its_last_value(gallery):
    """Seed s ends at epoch 6 + s; by hand: all have 4, seed 1 lies at 6 on the line from 4 to 7."""
    curve = line(gallery.drawn("retraining", THREE).axes[0], "linear4")
    value = lambda epochs: 40 + 2 * 4 / (1 + epochs)
    np.testing.assert_allclose(curve.get_xdata(), [0, 1, 2, 4, 6, 7, 8])
    at_6 = [value(6), np.interp(6, [4, 7], [value(4), value(7)]), np.interp(6, [4, 8], [value(4), value(8)])]
    assert curve.get_ydata()[4] == pytest.approx(np.mean(at_6))
    assert curve.get_ydata()[-1] == pytest.approx(np.mean([value(6), value(7), value(8)]))
    assert list(curve.get_markevery()) == 4 * [True] + 3 * [False]
    held = "after the end of a seed its last value stands"
    assert held in gallery.drawn("retraining", THREE).get_suptitle()
    assert held not in gallery.drawn("retraining").get_suptitle()


def test_rewinding_begins_with_each_seeds_own_first_epoch(gallery):
    # Seed 0 was rewound to 4 first, the others to 2; what they have at 3 lies before all seeds have a curve.
    table = THREE.tables["rewinding"].query("source == 'self' and rewind_epoch > 1")
    between = table.query("rewind_epoch == 2").assign(rewind_epoch=3)
    table = pd.concat([table, between]).query("seed > 0 or rewind_epoch > 3")
    base = changed(THREE, rewinding=table)
    (axis,) = gallery.drawn("fig4b", base).axes
    curve = line(axis, "linear4")
    np.testing.assert_allclose(curve.get_xdata(), [8 / 3, 4, 8, 16, 17])
    own = table[table["layer"] == "linear4"].set_index(["seed", "rewind_epoch"])["test_accuracy"]
    assert curve.get_ydata()[0] == pytest.approx(100 * np.mean([own[0, 4], own[1, 2], own[2, 2]]))
    assert 1 < axis.get_xlim()[0] < 8 / 3
    said = caption(FIGURES["fig4b"], base)
    assert "first epochs rewound to differ between seeds (2 to 4): at the left end of a curve stands the mean" in said
    assert "Further epochs before 4 or after 16" in said
    assert "left end" not in caption(FIGURES["fig4b"], THREE)
    assert "Further epochs" not in caption(FIGURES["fig4b"], THREE)


def test_many_sets_of_layers_are_left_out_of_the_curves(gallery):
    names = lambda table: {text.get_text() for text in gallery.drawn("fig4b", rewinding=table).legends[0].get_texts()}
    table = RUN.tables["rewinding"]
    windows = table.query("source != 'self'").assign(source="self")
    assert "linear5+linear6" in names(table)
    assert not any("+" in name for name in names(pd.concat([table, windows], ignore_index=True)))


def test_many_layers_are_all_named_beside_the_curves(gallery):
    of_one = RUN.tables["rewinding"].query("layer == 'linear4'")
    layers = [of_one.assign(layer=f"conv{number}", layer_number=number) for number in range(1, 61)]
    for count in (21, 24, 30, 60):
        figure = gallery.drawn("fig4b", rewinding=pd.concat(layers[:count]))
        assert complaints(figure) == []
        assert {f"conv{number}" for number in range(1, count + 1)} <= {text.get_text() for text in texts(figure)}


def test_the_output_is_among_the_layers_that_were_retrained(gallery):
    layers = [f"linear{number}" for number in range(1, 7)]
    names = lambda axis: [tick.get_text() for tick in axis.get_xticklabels()]
    rewound, retrained, flipped = gallery.drawn("localization").axes
    assert [names(axis) for axis in (rewound, retrained, flipped)] == [layers, layers, layers[:-1]]
    own = RUN.tables["retraining"].query("layer == 'linear6' and retrained_epochs == 6")["permuted_accuracy"].item()
    assert line(retrained, "assigned labels, after retraining").get_ydata()[-1] == pytest.approx(100 * own)
    assert np.isfinite(line(rewound, "true labels, layer rewound").get_ydata()).all()
    without = RUN.tables["rewinding"].query("layer != 'linear6'")
    assert names(gallery.drawn("localization", rewinding=without).axes[0]) == layers[:-1]


@pytest.mark.parametrize("groups", [("unpermuted", "test"), ("permuted", "restored", "test")])
def test_retraining_names_the_epochs_below_every_column(groups, gallery):
    absent = {f"{group}_accuracy": np.nan for group in ("permuted", "restored", "unpermuted") if group not in groups}
    figure = gallery.drawn("retraining", retraining=RUN.tables["retraining"].assign(**absent))
    assert complaints(figure) == []
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == len(groups)
    named = [axis for axis in shown if axis.get_xlabel() == "epochs of retraining"]
    assert len({axis.get_position().x0 for axis in named}) == 2
    read = texts(figure)
    for axis in named:
        assert any(tick in read and tick.get_text() == "5" for tick in axis.get_xticklabels())
