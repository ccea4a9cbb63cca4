"""The rows of one run: the mean over its seeds, and what its errors are."""

import numpy as np
import pytest

from memorize_jax.explorer.rows import drift_rows, errors_of, geometry_rows, training_rows
from tests.figures.invented import THREE

PLACE = "epoch == 4 and layer == 'linear3'"
OF_DRAWS = "Errors, which only capacities have, are one standard error of the random draws they are estimated from."


def of_place(rows, group="permuted"):
    return rows.query(f"{PLACE} and group == '{group}'").squeeze()


def without_value(table, columns, query):
    """The table of three seeds, of which the second has no value at a place."""
    changed = table.copy()
    changed.loc[changed.eval(f"seed == 1 and {query}"), columns] = np.nan
    return changed


def test_a_mean_leaves_no_seed_out():
    table = without_value(THREE.tables["geometry"], ["capacity"], f"{PLACE} and group == 'permuted'")
    found = geometry_rows(table, 3, in_units_of_bound=True)
    lacking, whole = of_place(found), of_place(found, "test")
    assert np.isnan(lacking[["mean_field", "mean_field_error"]].astype(float)).all()
    # What the seeds all have is their mean: joint capacities, and the radius.
    own = table.query(f"{PLACE} and group == 'permuted'")
    assert lacking["joint"] == pytest.approx(own["joint_capacity"].mean() * 25)
    assert lacking["radius"] == pytest.approx(own["radius"].mean())
    assert whole["mean_field"] == pytest.approx(table.query(f"{PLACE} and group == 'test'")["capacity"].mean() * 25)


def test_a_mean_is_of_no_fewer_rows_than_seeds():
    """A seed may lack a row where others have one, not only a value."""
    table = THREE.tables["geometry"]
    found = geometry_rows(
        table.drop(table.query(f"seed == 1 and {PLACE} and group == 'permuted'").index), 3, in_units_of_bound=True
    )
    assert np.isnan(of_place(found)["radius"])
    assert of_place(found)["seeds"] == "0, 2"
    assert of_place(found, "test")["radius"] > 0
    assert of_place(found, "test")["seeds"] == "0 to 2"


def test_drifts_and_accuracies_have_no_mean_either_where_a_seed_has_none():
    drifts = without_value(THREE.tables["collapse"], ["drift"], PLACE)
    found = drift_rows(drifts, set(THREE.layers), 3)
    assert found.query(PLACE).empty
    assert len(found.query("epoch == 4")) == len(THREE.layers) - 1
    accuracies = without_value(THREE.tables["metrics"], ["test_accuracy"], "epoch == 4")
    found = training_rows(accuracies, 3).set_index("epoch")
    assert found["test"].isna().tolist() == [epoch == 4 for epoch in found.index]
    assert found["train"].notna().all()


@pytest.mark.parametrize(
    ("repeats", "num_seeds", "said"),
    [
        ((1, 1, 1, 1), 1, OF_DRAWS),
        # A table of the first version does not say how many choices there were.
        ((np.nan, np.nan, np.nan, np.nan), 1, OF_DRAWS),
        ((5, 5, 5, 5), 1, "of the choice of examples, for radius and dimension that of the choice alone."),
        ((5, 5, 1, 1), 1, "alone; for restored and test examples, chosen only once, that of the draws alone."),
        ((5, 5, 5, 5), 3, "Errors are half the 99% interval over seeds; a mean is shown where every seed has a value."),
    ],
)
def test_errors_are_said_to_be_what_they_are(repeats, num_seeds, said):
    table = THREE.tables["geometry"]
    choices = dict(zip(("unpermuted", "permuted", "restored", "test"), repeats, strict=True))
    table = table.assign(example_repeats=table["group"].map(choices))
    assert errors_of(table[table["seed"] < num_seeds], num_seeds).endswith(said)
