"""The table of rewinding in the report, of ensembles with rows of other directions and sources."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements.rewinding.section import SECTION
from memorize_jax.pages.page import fill
from tests.figures.invented import RUN, THREE, changed

make = SECTION.views["rewinding"][1]


def never_fell():
    """An ensemble whose accuracy is highest at the end, and whose rows of other kinds than its own all differ."""
    metrics = THREE.tables["metrics"].assign(restored_accuracy=np.nan)
    metrics["test_accuracy"] = metrics["epoch"] / 20
    own = THREE.tables["rewinding"]
    own = own[own["source"] == "self"]
    parts = [own, own.assign(into="early", test_accuracy=0.9), own.assign(source="runs/clean", test_accuracy=0.1)]
    return changed(THREE, metrics=metrics, rewinding=pd.concat(parts, ignore_index=True)), own


def test_where_nothing_was_lost_only_own_layers_in_the_final_network_are_averaged():
    """What earlier layers leave of the final network has no mean with what final layers make of an earlier one."""
    study, own = never_fell()
    view = make(study)
    assert "nothing was lost" in view.note
    found = {(row[0].text, row[1].text): row[-1].value for row in view.rows}
    expected = own.groupby(["layer", "rewind_epoch"])["test_accuracy"].mean()
    assert len(found) == len(expected)
    for (layer, epoch), mean in expected.items():
        np.testing.assert_allclose(float(found[layer, str(epoch)]), mean)
    # All rows are there to download.
    assert len(view.whole) == 3 * len(own)


def test_without_such_rows_the_table_is_shown_as_it_is():
    study, _ = never_fell()
    rows = study.tables["rewinding"]
    assert make(changed(study, rewinding=rows[rows["into"] == "early"])) is None


def said(study):
    study = changed(study, rewinding=study.tables["rewinding"].assign(bn="with_layer"))
    return " ".join(fill(SECTION.words, study=study, facts=SECTION.facts(study)).split())


@pytest.mark.parametrize(("group", "other"), [("restored", "Test"), ("test", "Restored")])
@pytest.mark.parametrize("base", [RUN, THREE], ids=["one", "three"])
def test_nothing_is_said_of_a_group_that_was_not_measured(base, group, other):
    """Without permuted labels there is no restored accuracy, of a watched run without a test set none of test."""
    column = f"{group}_accuracy"
    tables = {name: base.tables[name].assign(**{column: np.nan}) for name in ("metrics", "rewinding")}
    found = said(changed(base, **tables))
    assert f"{other} accuracy" in found
    assert f"{group.capitalize()} accuracy" not in found
    assert f"{group.capitalize()} accuracy" in said(base)


def test_seeds_without_a_loss_are_named():
    """Seeds 1 and 2 are at their peak at the end; invented rewinding wins back more late than early."""
    metrics = THREE.tables["metrics"]
    rising = metrics["test_accuracy"].where(metrics["seed"] == 0, metrics["epoch"] / 100)
    found = said(changed(THREE, metrics=metrics.assign(test_accuracy=rising)))
    assert (
        "means over 1 of 3 seeds. In the paper the last recover more than the first; so they do in 1 of these 1."
        in found
    )
    assert "Left out: seed 1, 2 (had lost nothing)." in found
    assert "Test accuracy: no seed tells what rewinding wins back. Left out: seed 0, 1, 2 (had lost nothing)." in said(
        changed(THREE, metrics=metrics.assign(test_accuracy=metrics["epoch"] / 100))
    )
    assert "means over 3 of 3 seeds" in said(THREE)


def test_no_picture_is_named_that_a_page_may_not_have():
    assert "is a row of the table" in said(changed(RUN, geometry=None))
    assert "picture" not in said(RUN)
