"""Tables in the report of a sweep, whose runs differ in more than their seed."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.report.drawn import views
from tests.figures import invented
from tests.figures.invented import GRID_OF_THREE, WIDTHS_OF_THREE, changed


def shown(study, name):
    return next(view for view in views(study) if view.name == name)


def test_runs_of_a_sweep_are_not_averaged_as_if_they_were_seeds():
    """A view that does not say which run its rows are of is not that of a sweep: its table is shown as it is."""
    runs = GRID_OF_THREE.tables["metrics"][["run", *GRID_OF_THREE.axes]].drop_duplicates()
    for name, table in (("collapse", invented.collapse("mlp", (0, 1, 2))), ("few_shot", invented.few_shot())):
        view = shown(changed(GRID_OF_THREE, **{name: table.merge(runs, how="cross")}), name)
        assert "Mean" not in view.note
        assert {"run", *(axis.replace("_", " ") for axis in GRID_OF_THREE.axes)} <= {
            head.title for head in view.headers
        }


@pytest.mark.parametrize("study", [GRID_OF_THREE, invented.SWEEP_OF_THREE])
@pytest.mark.parametrize("name", ["metrics", "geometry"])
def test_views_that_tell_runs_apart_are_means_over_seeds(study, name):
    assert "over 3 seeds." in shown(study, name).note


def test_widths_are_told_apart_by_what_else_differs():
    """Each learning rate has its own mean over seeds."""
    table, rates = WIDTHS_OF_THREE.tables["double_descent"], (1e-3, 1e-2)
    both = pd.concat([table.assign(learning_rate=rate, radius=1e3 * rate) for rate in rates], ignore_index=True)
    study = changed(WIDTHS_OF_THREE, double_descent=both)._replace(axes=("learning_rate", "width"))
    view = shown(study, "double_descent")
    titles = [head.title for head in view.headers]
    assert titles[:3] == ["learning rate", "epoch", "width"]
    radii = {(row[0].text, row[titles.index("radius")].value) for row in view.rows}
    assert {(float(rate), float(radius)) for rate, radius in radii} == {(0.001, 1.0), (0.01, 10.0)}
    assert len(view.rows) == 2 * len(table) / len(WIDTHS_OF_THREE.seeds)
    assert np.isfinite([float(row[-1].value) for row in view.rows]).all()


def test_joint_capacity_of_a_width_that_is_a_bound_in_some_seed_is_written_as_one():
    table = invented.bounds(WIDTHS_OF_THREE.tables["double_descent"], width=3, moment="final", seed=1)
    view = shown(changed(WIDTHS_OF_THREE, double_descent=table), "double_descent")
    place = [head.title for head in view.headers].index("joint capacity")
    signed = [(row[0].text, row[1].text) for row in view.rows if row[place].text.startswith("≤")]
    assert signed == [("final", "3")]
    assert "Joint capacity after ≤ is only an upper bound." in view.note
    assert "≤" not in shown(WIDTHS_OF_THREE, "double_descent").note
