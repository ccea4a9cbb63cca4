"""The table of rewinding in the report, of ensembles with rows of other directions and sources."""

import numpy as np
import pandas as pd

from memorize_jax.measurements.rewinding.section import SECTION
from tests.figures.invented import THREE, changed

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
