"""The table of the geometry in the report: flags are no quantities, and bounds no values."""

import numpy as np
import pytest

from memorize_jax.measurements.geometry.section import SECTION
from tests.figures.invented import RUN, THREE, bounds, changed

make = SECTION.views["geometry"][1]
OF_THREE = THREE.tables["geometry"]
SPACE = "\N{NO-BREAK SPACE}"


def cells(view, *texts):
    titles = [head.title for head in view.headers]
    (row,) = (row for row in view.rows if tuple(cell.text for cell in row[:3]) == texts)
    return dict(zip(titles, (cell.text for cell in row), strict=True))


def test_the_status_of_several_seeds_has_the_flags_of_any_and_the_note_their_meaning():
    """8 and 256 are powers of two: a mean would be neither."""
    flagged = OF_THREE["layer"].eq("linear3") & OF_THREE["group"].eq("test")
    status = np.where(flagged & (OF_THREE["seed"] == 1), 8, np.where(flagged & (OF_THREE["seed"] == 2), 256, 0))
    view = make(changed(THREE, geometry=OF_THREE.assign(status=status)))
    assert cells(view, "best", "test", "linear3")["status"] == "264"
    assert cells(view, "best", "test", "linear2")["status"] == "0"
    # At the best and at the final epoch, of one group and one layer.
    assert view.note.startswith(
        "2 rows carry a status other than 0 in at least one seed; see the last column. 8: less "
    )
    assert "256: all of its points coincide" in view.note


@pytest.mark.parametrize(("study", "some"), [(RUN, ""), (THREE, " in at least one seed")])
def test_bounds_have_a_sign_and_are_counted_by_rows_of_the_table(study, some):
    table = bounds(study.tables["geometry"], layer="linear3", group="permuted", seed=study.seeds[-1])
    view = make(changed(study, geometry=table))
    rows = [cells(view, stage, "permuted", "linear3")["joint capacity"] for stage in ("best", "final")]
    assert [text[:2] for text in rows] == 2 * [f"≤{SPACE}"]
    assert not any("±" in text for text in rows)
    assert not cells(view, "best", "permuted", "linear2")["joint capacity"].startswith("≤")
    assert f"In 2 rows, after ≤, the joint capacity is only an upper bound{some}." in view.note
