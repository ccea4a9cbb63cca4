"""What the moving picture shows are the numbers of the tables."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from memorize_jax.explorer.chart import choices, datasets, records
from memorize_jax.explorer.explored import explored
from memorize_jax.explorer.payload import finding, payload
from memorize_jax.explorer.together import together
from memorize_jax.geometry.status import NOT_CONVERGED
from tests.figures.invented import changed, study, sweep


def rows_of(found, run, group):
    rows = found.places[(found.places["run"] == run) & (found.places["group"] == group)]
    return rows.set_index(["epoch", "layer"])


def test_one_seed_is_shown_as_it_was_measured_without_the_output():
    base = study()
    found = explored(base)
    assert found.runs == ("seed 0",)
    assert found.layers == ("input", *base.layers[:-1])
    assert found.epochs == {"seed 0": [0, 1, 2, 4, 8, 16]}
    table = base.tables["geometry"].set_index(["group", "epoch", "layer"])
    shown = rows_of(found, "seed 0", "restored")
    for (epoch, layer), row in shown[shown["joint"].notna()].iterrows():
        own = table.loc[("restored", epoch, layer)]
        # M = 50: the bound 2/M is 0.04.
        assert row["joint"] == pytest.approx(own["joint_capacity"] / 0.04)
        assert row["joint_error"] == pytest.approx(own["joint_capacity_standard_error"] / 0.04)
        assert row["mean_field"] == pytest.approx(own["capacity"] / 0.04)
        assert (row["radius"], row["dimension"]) == (own["radius"], own["dimension"])
        assert row["seeds"] == "0"
    drift = base.tables["collapse"].query("group == 'permuted'").set_index(["epoch", "layer"])["drift"]
    shown = rows_of(found, "seed 0", "permuted")["drift"].dropna()
    assert len(shown) > 20
    np.testing.assert_array_equal(shown, drift.loc[shown.index])


def test_several_seeds_have_a_mean_with_students_interval_at_the_epochs_they_share():
    base = study(seeds=(0, 1, 2))
    found = explored(base)
    assert found.runs == ("mean of 3 seeds", "seed 0", "seed 1", "seed 2")
    assert found.epochs["mean of 3 seeds"] == [0, 1, 2, 4, 8, 16]
    assert found.epochs["seed 1"] == [0, 1, 2, 3, 4, 8, 16, 17]
    table = base.tables["geometry"]
    values = table.query("group == 'test' and epoch == 4 and layer == 'linear2'")["capacity"] / 0.04
    row = rows_of(found, "mean of 3 seeds", "test").loc[(4, "linear2")]
    low, high = stats.t.interval(0.99, 2, values.mean(), stats.sem(values))
    assert row["mean_field"] == pytest.approx(values.mean())
    assert row["mean_field_error"] == pytest.approx((high - low) / 2)
    training = found.training.query("run == 'mean of 3 seeds' and epoch == 4")["test"].item()
    expected = base.tables["metrics"].query("epoch == 4")["test_accuracy"].mean()
    assert training == pytest.approx(100 * expected)


def test_numbers_that_must_not_be_used_are_not_shown_and_bounds_are_marked():
    base = study()
    table = base.tables["geometry"].copy()
    table["joint_status"] = table["joint_status"].astype(int)
    wrong = (table["layer"] == "linear1") & (table["epoch"] == 2) & (table["group"] == "permuted")
    table.loc[wrong, "joint_status"] = NOT_CONVERGED
    bounded = (table["layer"] == "linear2") & (table["epoch"] == 2) & (table["group"] == "permuted")
    table.loc[bounded, "joint_status"] = 128
    shown = rows_of(explored(changed(base, geometry=table)), "seed 0", "permuted")
    shown = shown[shown["status"].ne("ok") | shown["joint"].notna()]
    assert np.isnan(shown.loc[(2, "linear1")]["joint"])
    assert shown.loc[(2, "linear1")]["mean_field"] > 0
    assert "did not converge" in shown.loc[(2, "linear1")]["status"]
    assert shown.loc[(2, "linear2")]["bound"]
    assert "upper bound" in shown.loc[(2, "linear2")]["status"]


def test_capacities_with_a_margin_have_no_bound_to_be_measured_in():
    base = study()
    found = explored(changed(base, geometry=base.tables["geometry"].assign(kappa=0.5)))
    assert "2/M" not in found.measures["joint"]
    row = rows_of(found, "seed 0", "test")["joint"].dropna().iloc[0]
    table = base.tables["geometry"].query("group == 'test'")["joint_capacity"]
    assert np.isclose(table, row).any()


def test_rewinding_is_that_of_single_layers_of_the_run_itself():
    base = study()
    found = explored(base).rewinding.set_index(["epoch", "layer"])
    table = base.tables["rewinding"]
    own = table[(table["num_layers"] == 1) & (table["into"] == "final") & (table["source"] == "self")]
    assert len(found) == len(own)
    for row in own.itertuples():
        assert found.loc[(row.rewind_epoch, row.layer)]["restored"] == pytest.approx(100 * row.restored_accuracy)


def test_a_sweep_shows_its_runs_those_without_permuted_labels_last():
    found = explored(sweep())
    assert found.runs == ("permuted fraction 0.5", "permuted fraction 1.0", "permuted fraction 0.0")
    assert set(found.places["run"]) == set(found.runs)


def test_a_study_without_geometry_or_of_unlike_networks_has_no_picture():
    base = study()
    tables = {name: table for name, table in base.tables.items() if name != "geometry"}
    assert explored(base._replace(tables=tables)) is None
    assert explored(base._replace(layers=())) is None


def test_a_page_carries_what_was_found_as_valid_json():
    found = explored(study(seeds=(0, 1)))
    content = json.loads(payload(found))
    assert [layout["width"] for layout in content["layouts"]] == sorted(
        (layout["width"] for layout in content["layouts"]), reverse=True
    )
    assert content["epochs"] == found.epochs
    assert content["datasets"] == datasets(found)
    assert len(content["datasets"]["places"]) == len(found.places)
    params = {param["name"]: param for param in content["layouts"][0]["spec"]["params"]}
    assert params["run"]["value"] == "mean of 2 seeds"
    assert all("bind" not in param for param in params.values())
    assert set(choices(found)) <= set(params)


def test_numbers_are_carried_with_five_digits_and_missing_ones_not_at_all():
    table = pd.DataFrame({"a": [1.23456789, np.nan, np.inf], "b": ["x", None, "y"], "c": [3, 4, 123456]})
    assert records(table) == [{"a": 1.2346, "b": "x", "c": 3}, {"c": 4}, {"b": "y", "c": 123460}]


def test_the_finding_names_the_layer_with_most():
    base = study()
    table = base.tables["geometry"].copy()
    top = (table["layer"] == "linear3") & (table["epoch"] == 16) & (table["group"] == "permuted")
    table.loc[top, "joint_capacity"] = 0.2
    assert "At epoch 16 linear3 has most, 5, and" in finding(explored(changed(base, geometry=table)))


def test_studies_with_the_same_layers_are_put_side_by_side():
    one, other = explored(study()), explored(study(seeds=(0, 1)))
    found = together({"a": one, "b": other})
    assert found.runs == ("a", "b")
    assert found.epochs == {"a": one.epochs["seed 0"], "b": other.epochs["mean of 2 seeds"]}
    for name, own, run in (("a", one, "seed 0"), ("b", other, "mean of 2 seeds")):
        for table in ("places", "training", "rewinding"):
            mine, whole = getattr(found, table), getattr(own, table)
            mine, whole = mine[mine["run"] == name], whole[whole["run"] == run]
            columns = [column for column in whole if column != "run"]
            pd.testing.assert_frame_equal(
                mine[columns].reset_index(drop=True), whole[columns].reset_index(drop=True), check_dtype=False
            )
    assert together({"a": one}) is None
    assert together({"a": one, "b": explored(study("alexnet"))}) is None
