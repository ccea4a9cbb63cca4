"""What the report says of retraining, of ensembles whose seeds have best epochs of their own."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements.retraining.effects import NONE, from_earliest, retrained_layers, with_starts
from memorize_jax.measurements.retraining.section import SECTION
from memorize_jax.pages.page import fill
from tests.figures.invented import RUN, THREE, changed

# Of the invented metrics; and final ones.
BEST, FINAL = {0: 2, 1: 3, 2: 4}, {0: 16, 1: 17, 2: 18}
METRICS = {seed: THREE.metrics_of(seed) for seed in THREE.seeds}
make = SECTION.views["retraining"][1]


def retrained_from(epochs_of, base=THREE):
    """The study whose layers were put back to these epochs (seed -> epochs); what is left depends on both."""
    table = base.tables["retraining"]
    none, own = table[table["layer"] == NONE], table[table["layer"] != NONE]
    parts = [
        own[own["seed"] == seed].assign(rewind_epoch=epoch, test_accuracy=(10 * epoch + seed) / 500)
        for seed in base.seeds
        for epoch in epochs_of(seed)
    ]
    return changed(base, retraining=pd.concat([none, *parts], ignore_index=True))


def shown(study):
    """(layers, start, moment) -> the cells of the page."""
    return {tuple(cell.text for cell in row[:3]): row[3:] for row in make(study).rows}


def mean_text(values):
    return f"{100 * np.mean(values):.1f}"


@pytest.mark.parametrize(
    ("epochs_of", "starts"),
    [
        (lambda seed: [0], {"epoch 0": lambda seed: 0}),
        (lambda seed: [0, BEST[seed]], {"epoch 0": lambda seed: 0, "best epoch (2 to 4)": BEST.get}),
        (lambda seed: [BEST[seed]], {"best epoch (2 to 4)": BEST.get}),
        # Epoch 3 is the best one of seed 1.
        (lambda seed: {3, BEST[seed]}, {"epoch 3": lambda seed: 3, "best epoch (2 to 4)": BEST.get}),
        (lambda seed: [3], {"epoch 3": lambda seed: 3}),
        (lambda seed: [0, FINAL[seed]], {"epoch 0": lambda seed: 0, "final epoch (16 to 18)": FINAL.get}),
        (lambda seed: [1, 2], {"epoch 1": lambda seed: 1, "epoch 2": lambda seed: 2}),
    ],
)
def test_every_starting_epoch_has_a_row_of_its_own_over_all_seeds(epochs_of, starts):
    """No mean is over starting epochs, and none lacks a seed."""
    study, found = retrained_from(epochs_of), {}
    found = shown(study)
    assert {start for _, start, _ in found} == {"–", *starts}
    assert "over 3 seeds." in make(study).note
    for start, epoch_of in starts.items():
        expected = mean_text([(10 * epoch_of(seed) + seed) / 500 for seed in study.seeds])
        for moment in ("before", "after"):
            assert found["linear4", start, moment][-1].text.startswith(f"{expected} ± ")
    assert list(dict.fromkeys(layer for layer, *_ in found)) == [NONE, *THREE.layers]


def test_of_one_run_the_best_epoch_is_named():
    study = retrained_from(lambda seed: [0, BEST[seed]], RUN)
    assert {start for _, start, _ in shown(study)} == {"–", "epoch 0", "best epoch (2)"}


def test_an_epoch_that_only_some_seeds_have_is_called_a_mean_of_fewer():
    study = retrained_from(lambda seed: [0, 12] if seed else [0])
    assert "over 3 seeds (of 2 at least, where some lack a value)" in make(study).note


def test_rows_stand_for_no_more_than_they_were_measured_at():
    """Names of starts are added, and nothing is lost; every start is an epoch of the rows beside it."""
    table = retrained_from(lambda seed: {3, BEST[seed]}).tables["retraining"]
    named = with_starts(table, METRICS)
    assert set(named.drop_duplicates([*table.columns]).index) | set(named.index) == set(named.index)
    assert len(named[[*table.columns]].drop_duplicates()) == len(table.drop_duplicates())
    assert (named.loc[named["start"] == "epoch 3", "rewind_epoch"] == 3).all()
    best = named[named["start"].fillna("").str.startswith("best")]
    assert (best["rewind_epoch"] == best["seed"].map(BEST)).all()
    assert named.loc[named["layer"] == NONE, "start"].isna().all()


def test_the_earliest_epoch_is_that_of_each_seed():
    """As `retrained_layers` has it, seed by seed."""
    study = retrained_from(lambda seed: [BEST[seed], 9])
    earliest = from_earliest(study.tables["retraining"])
    assert earliest.groupby("seed")["rewind_epoch"].unique().map(list).to_dict() == {
        seed: [best] for seed, best in BEST.items()
    }
    for seed, own in study.tables["retraining"].groupby("seed"):
        assert {one.before["rewind_epoch"] for one in retrained_layers(own)} == {BEST[seed]}


def test_the_words_name_the_epochs_of_all_seeds():
    def said(study):
        return " ".join(fill(SECTION.words, study=study, facts=SECTION.facts(study)).split())

    study = retrained_from(lambda seed: [BEST[seed]])
    assert SECTION.facts(study)["epoch"] == "2 to 4"
    assert "put back to epoch 2 to 4, each seed's own, and trained again" in said(study)
    assert "put back to epoch 0 and trained again" in said(retrained_from(lambda seed: [0, BEST[seed]]))


def test_a_seed_without_a_lead_is_in_the_words():
    """Seed 1 memorized nothing: what comes back in the others is not a mean of three."""
    table = THREE.tables["retraining"]
    none = (table["seed"] == 1) & (table["layer"] == NONE)
    study = changed(THREE, retraining=table.assign(permuted_accuracy=table["permuted_accuracy"].mask(none, 0.05)))
    words = lambda of: " ".join(fill(SECTION.words, study=of, facts=SECTION.facts(of)).split())
    nothing = "How much of it comes back is not said: in 1 of 3 seeds there are no more assigned than true labels"
    assert nothing in words(study)
    assert "not said" not in words(THREE)
    # (0.9 + 0.05 + 0.9) / 3.
    assert SECTION.facts(study)["final"] == pytest.approx(1.85 / 3)
    alone = changed(RUN, retraining=RUN.tables["retraining"].assign(permuted_accuracy=0.05))
    assert "is not said: there are no more assigned" in words(alone)


def test_a_layer_that_one_seed_lacks_is_named_and_in_no_mean():
    table = THREE.tables["retraining"]
    study = changed(THREE, retraining=table[(table["seed"] != 1) | (table["layer"] != "linear2")])
    facts = SECTION.facts(study)
    assert facts["incomplete"] == ["linear2"]
    assert {*facts["held_by_others"], *facts["needed"]} == {*THREE.layers} - {"linear2"}
    said = " ".join(fill(SECTION.words, study=study, facts=facts).split())
    assert "Not every seed tells of linear2, of which nothing is said." in said
    assert "Not every seed" not in fill(SECTION.words, study=THREE, facts=SECTION.facts(THREE))
