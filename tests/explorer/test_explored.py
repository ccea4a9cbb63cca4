"""What the moving picture shows are the numbers of the tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from memorize_jax.explorer.chart import choices
from memorize_jax.explorer.explored import explored
from memorize_jax.explorer.payload import finding
from memorize_jax.explorer.together import together
from memorize_jax.geometry.status import CHECKPOINT_DAMAGED, NOT_CONVERGED
from memorize_jax.report.explore import explore
from tests.figures.invented import SWEEP, SWEEP_OF_THREE, THREE, changed, geometry, study, sweep


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


def test_all_runs_of_a_sweep_have_one_unit():
    """One of them has a margin, so none is in units of the bound: a color means the same number in all maps."""
    table = SWEEP.tables["geometry"]
    table = table.assign(kappa=table["permuted_fraction"].map({0.0: 0.0, 0.5: 0.0, 1.0: 0.5}))
    found = explored(changed(SWEEP, geometry=table))
    assert found.measures["joint"] == "joint capacity with margin κ = 0 and 0.5"
    assert not found.is_in_units
    own = table.query("epoch == 16 and group == 'test' and layer == 'conv3'").set_index("permuted_fraction")
    for fraction, run in ((0.0, "permuted fraction 0.0"), (1.0, "permuted fraction 1.0")):
        assert rows_of(found, run, "test").loc[(16, "conv3")]["mean_field"] == own["capacity"][fraction]


def test_runs_that_were_measured_with_other_settings_are_not_shown_together():
    noted = {"alexnet0.0": {"kappa": 0}, "alexnet0.5": {"kappa": 0}, "alexnet1.0": {"kappa": 0}}
    assert explored(SWEEP._replace(settings={"geometry": noted})) is not None
    other = SWEEP._replace(settings={"geometry": noted | {"alexnet1.0": {"kappa": 1}}})
    assert explored(other) is None
    with pytest.raises(ValueError, match=r"^geometry of run alexnet1\.0 was measured with other settings .* kappa=1"):
        explore(other)


def test_every_run_says_what_its_own_errors_are():
    found = explored(study(seeds=(0, 1, 2)))
    assert set(found.errors) == set(found.runs)
    assert "over seeds" in found.errors["mean of 3 seeds"]
    assert "over seeds" not in found.errors["seed 0"]
    place = rows_of(found, "seed 0", "permuted").loc[(16, "linear3")].query("mean_field > 0").squeeze()
    # 0.002 classes per feature, in units of 0.04.
    assert place["mean_field_error"] == pytest.approx(0.05)


def test_seeds_that_share_no_epoch_have_no_mean_and_are_shown():
    """That is what --geometry_epochs=best,final measures of seeds that end at different epochs."""
    found = explored(changed(THREE, geometry=geometry("mlp", (0, 1, 2), epochs=())))
    assert found.runs == ("seed 0", "seed 1", "seed 2")
    assert found.epochs == {"seed 0": [2, 16], "seed 1": [3, 17], "seed 2": [4, 18]}
    assert set(found.training["run"]) == set(found.rewinding["run"]) == set(found.places["run"]) == set(found.runs)
    assert set(found.errors) == set(choices(found)["run"]) == set(found.runs)
    assert "seed 0. At epoch 16 linear5 has most" in finding(found)
    assert explored(SWEEP_OF_THREE) is None


def test_runs_without_geometry_are_left_out():
    table = SWEEP.tables["geometry"]
    found = explored(changed(SWEEP, geometry=table[table["permuted_fraction"] > 0]))
    assert found.runs == ("permuted fraction 0.5", "permuted fraction 1.0")
    assert set(found.training["run"]) == set(found.runs)
    table = THREE.tables["geometry"]
    assert explored(changed(THREE, geometry=table[table["seed"] < 2])).runs == ("mean of 2 seeds", "seed 0", "seed 1")
    assert explored(changed(THREE, geometry=table[table["seed"] == 1])).runs == ("seed 1",)
    damaged = table.assign(status=CHECKPOINT_DAMAGED, joint_status=CHECKPOINT_DAMAGED)
    assert explored(changed(THREE, geometry=damaged)) is None


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


def test_studies_with_the_same_layers_are_put_side_by_side():
    one, other = explored(study()), explored(study(seeds=(0, 1)))
    found = together({"a": one, "b": other})
    assert found.runs == ("a", "b")
    assert found.epochs == {"a": one.epochs["seed 0"], "b": other.epochs["mean of 2 seeds"]}
    for name, own, run in (("a", one, "seed 0"), ("b", other, "mean of 2 seeds")):
        assert found.errors[name] == own.errors[run]
        for table in ("places", "training", "rewinding"):
            mine, whole = getattr(found, table), getattr(own, table)
            mine, whole = mine[mine["run"] == name], whole[whole["run"] == run]
            columns = [column for column in whole if column != "run"]
            pd.testing.assert_frame_equal(
                mine[columns].reset_index(drop=True), whole[columns].reset_index(drop=True), check_dtype=False
            )
    assert together({"a": one}) is None
    assert together({"a": one, "b": explored(study("alexnet"))}) is None
