"""By which geometry a statement is judged, what is shown beside, and what is in the error of one seed."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.claims.evidence import NotTestable
from memorize_jax.claims.sheet import judge
from memorize_jax.geometry.status import BOUND, NOT_CONVERGED, ROUNDED, describe
from memorize_jax.measurements import registry
from tests.claims.invented import BEST, FINAL, MEAN_FIELD, edited, fractions, judged, study, widths

AGAIN = "there is no joint capacity; measure the geometry again with: python -m experiments.geometry --workdir="
PERMUTED = {"group": "permuted", "epoch": BEST}
JUDGED_BY_JOINT = {
    one.name: bool(one.axes) for one in registry.statements() if one.by == "joint" and "geometry" in one.needs
}


def of_first_version(base):
    """Tables without joint geometry."""
    columns = [name for name in base.tables["geometry"] if name.startswith("joint_")]
    return base._replace(
        tables=base.tables | {"geometry": base.tables["geometry"].assign(**dict.fromkeys(columns, np.nan))}
    )


def simulated(base, **where):
    """As of the first version, with a simulation of every manifold: half the mean-field capacity."""
    rows = base.tables["geometry"].assign(mean_field_capacity=lambda own: own["capacity"])
    rows = rows.assign(simulated_capacity=rows["capacity"] / 2, simulated_standard_error=0.002, bound=0)
    base = of_first_version(base)._replace(tables={**of_first_version(base).tables, "capacity_check": rows})
    return edited(base, "capacity_check", "simulated_capacity", np.nan, **where) if where else base


def test_separability_is_judged_by_joint_capacity_with_mean_field_beside():
    claim = judged("permuted_at_lower_bound", study())
    # 1.1 times the bound, and mean-field capacity more; 0.0004 in units of 0.04.
    assert claim.measured == pytest.approx(1.1)
    assert claim.reason.endswith(
        f"; judged by joint capacity; standard error 0.01 of draws alone; by mean-field capacity (K = 2 to 3): "
        f"{1.1 * MEAN_FIELD:.4g}"
    )
    base = edited(study(), "geometry", "capacity", 77.0, **PERMUTED)
    assert judged("permuted_at_lower_bound", base).measured == pytest.approx(1.1)
    assert judged("permuted_at_lower_bound", base).reason.endswith(": 1925")
    claim = judged("theory_matches_simulation", study())
    assert claim.reason.endswith("; judged by joint capacity; by mean-field capacity (K = 2 to 3): 0.6")


def test_of_joint_capacities_that_are_only_bounds_nothing_is_compared():
    """Joint capacity is off by 2 % at the input and by 4 and 100 % at the first two layers."""
    base = edited(study(), "capacity_check", "joint_status", BOUND, layer=("linear1", "linear2"))
    assert judged("theory_matches_simulation", base).measured == pytest.approx(0.02)
    assert (
        judged(
            "theory_matches_simulation", edited(base, "capacity_check", "joint_status", BOUND, layer="input")
        ).verdict
        == "not testable"
    )


def test_what_mean_field_cannot_say_is_not_shown():
    base = edited(study(), "geometry", "capacity", np.nan, **PERMUTED)
    claim = judged("permuted_at_lower_bound", base)
    assert claim.measured == pytest.approx(1.1)
    assert "mean-field capacity (K" not in claim.reason


def test_radius_and_dimension_are_the_papers_with_the_joint_ones_beside():
    claim = judged("restored_radius_falls_with_depth", study())
    assert claim.reason.endswith("; judged by mean-field geometry (K = 2 to 3); sampling error not measured")
    base = edited(study(), "geometry", "joint_radius", 1.5, seed=0)
    base = edited(base, "geometry", "joint_radius", 1.2, layer="linear5")
    assert judged("restored_radius_falls_with_depth", base).reason.endswith("; by joint geometry: 0.8")


def test_one_k_is_said_as_one():
    base = edited(study(), "geometry", "num_center_components", 4.0, seed=0)
    assert "(K = 4)" in judged("permuted_at_lower_bound", base).reason
    # The output and the input decide nothing.
    base = edited(base, "geometry", "num_center_components", 9.0, layer=("input", "linear6"))
    assert "(K = 4)" in judged("permuted_at_lower_bound", base).reason


def test_curves_over_widths_say_which_k_they_were_measured_with():
    base = widths()
    table = base.tables["double_descent"].assign(num_center_components=[1.0] * 6 + [7.0] * 6, layer="conv20")
    base = base._replace(tables={"double_descent": table})
    assert judged("dimension_descends_twice", base).reason.endswith("; judged by mean-field geometry (K = 1 to 7)")
    assert judged("accuracy_descends_twice", base).reason.endswith("it takes several seeds")


# --- tables without joint geometry


@pytest.mark.parametrize("name", JUDGED_BY_JOINT)
def test_without_joint_geometry_separability_is_not_testable(name):
    networks = {"resnet": "resnet18", "tiny": "resnet18_tiny", "last_layer_permuted": "vgg16"}
    model = next((own for start, own in networks.items() if name.startswith(start)), "mlp")
    dataset = "tiny_imagenet" if name.startswith("tiny") else "digits"
    many = JUDGED_BY_JOINT[name]
    base = of_first_version(fractions(model=model) if many else study(model=model, dataset=dataset))
    base.tables.pop("capacity_check", None)
    claim = judged(name, base)
    assert claim.verdict == "not testable"
    if many:
        # Each run has its own folder; at fraction 0 nothing is permuted.
        run, fraction = ("run0.5", "0.5") if "permuted_" in name else ("run0.0", "0")
        assert claim.reason == f"permuted fraction {fraction}: {AGAIN}runs/sweep/{run}"
    else:
        assert claim.reason == f"{AGAIN}runs/mine"


def test_simulated_capacity_judges_where_there_is_no_joint_one():
    claim = judged("permuted_at_lower_bound", simulated(study()))
    assert claim.measured == pytest.approx(1.1 * MEAN_FIELD / 2)
    assert "; judged by simulated capacity; standard error 0.05 of draws alone; by mean-field" in claim.reason
    claim = judged("permuted_at_lower_bound", simulated(study(seeds=(0, 1))))
    assert claim.verdict == "holds"
    assert "; judged by simulated capacity; by mean-field capacity" in claim.reason


def test_a_simulation_must_cover_what_is_judged():
    base = simulated(study())
    rows = base.tables["capacity_check"]
    lacking = (rows["layer"] == "linear3") & (rows["group"] == "permuted")
    less = base._replace(tables={**base.tables, "capacity_check": rows[~lacking]})
    expected = f"permuted manifolds at linear3: {AGAIN}runs/mine"
    assert judged("permuted_at_lower_bound", less).reason == expected
    bound = edited(base, "capacity_check", "bound", -1, layer="linear3", group="permuted")
    assert judged("permuted_at_lower_bound", bound).reason == expected
    # Nothing else is needed there.
    assert judged("restored_untangle_with_depth", bound).verdict == "holds (one seed)"


def test_seeds_are_judged_by_the_same_geometry():
    base = simulated(study(seeds=(0, 1)))
    base = edited(base, "geometry", "joint_capacity", 0.044, seed=1)
    assert judged("permuted_at_lower_bound", base).reason == f"seed 0: {AGAIN}runs/mine"


# --- joint capacities that say no number


@pytest.mark.parametrize("status", [BOUND, ROUNDED])
def test_an_upper_bound_is_not_used_as_a_value(status):
    base = edited(study(), "geometry", "joint_status", status, layer="linear3", group="permuted")
    claim = judged("permuted_at_lower_bound", base)
    reason = f"permuted manifolds at linear3: {describe(status)}"
    assert (claim.verdict, claim.reason) == ("not testable", reason)
    # What does not need that layer is judged.
    assert judged("permuted_rise_in_late_layers", base).verdict == "holds (one seed)"


def test_what_went_wrong_is_said():
    base = edited(study(), "geometry", "joint_capacity", np.nan, layer="linear3", group="permuted")
    base = edited(base, "geometry", "joint_status", NOT_CONVERGED, layer="linear3", group="permuted")
    expected = "permuted manifolds at linear3: its quadratic programs did not converge"
    assert judged("permuted_at_lower_bound", base).reason == expected


# --- the error of one seed


def resampled(base, **spreads):
    for column, spread in {"example_repeats": 5, **spreads}.items():
        base = edited(base, "geometry", column, float(spread), seed=0)
    return base


def test_other_examples_are_part_of_the_error():
    where = {"layer": "linear3", **PERMUTED}
    base = edited(study(), "geometry", "joint_capacity", 0.049, **where)
    assert judged("permuted_at_lower_bound", base).verdict == "holds (one seed)"
    # 0.0003 from draws and 0.0012 from examples, in units of 0.04; the value is 0.025 from the threshold.
    base = resampled(base, joint_capacity_example_sd=0.0012, joint_capacity_standard_error=3e-4)
    claim = judged("permuted_at_lower_bound", base)
    error = 25 * np.hypot(0.0003, 0.0012)
    assert claim.verdict == "undecided"
    within = f"1.2250 is within {error:.4f}, one standard error of its draws and examples, of the threshold"
    assert claim.reason.startswith(f"not certain with one seed: {within}; ")
    assert f"; standard error {error:.2g} of draws and examples; " in claim.reason
    # Several seeds have other examples each: the interval tells it.
    assert judged("permuted_at_lower_bound", study(seeds=(0, 1))).reason.count("standard error") == 0


def test_errors_of_two_groups_add_in_squares():
    """Restored capacity over test capacity, at linear5 0.05 above one; layers move together, by 4 % at most."""
    base = resampled(study(), joint_capacity_example_sd=0.0, joint_capacity_standard_error=0.0)
    capacity = 0.05 * 1.2**5
    for group, own in (("restored", capacity), ("test", capacity / 1.05)):
        where = {"group": group, "epoch": BEST, "layer": "linear5"}
        base = edited(base, "geometry", "joint_capacity_example_sd", 0.04 * own, **where)
    # Up for the one, down for the other.
    error = np.hypot(1.05 * 0.04, 1.05 / 0.96 - 1.05)
    claim = judged("restored_capacity_like_test", base)
    assert f"standard error {error:.2g} of draws and examples" in claim.reason
    assert claim.reason.startswith(f"not certain with one seed: 0.0500 is within {error:.4f}")


def test_a_radius_has_the_error_of_its_examples():
    base = resampled(study(), capacity_example_sd=0.001, radius_example_sd=0.02, dimension_example_sd=0.3)
    claim = judged("restored_radius_falls_with_depth", base)
    # Both thirds go up by 0.02, or down.
    early, late = 0.95, 0.95**5
    error = max(abs((late + sign * 0.02) / (early + sign * 0.02) - late / early) for sign in (1, -1))
    assert f"; standard error {error:.2g} of draws and examples" in claim.reason


@pytest.mark.parametrize(("low", "high"), [(1.12, 1.15), (1.0, 1.12), (1.12, 1.12)])
def test_an_error_at_whose_end_nothing_can_be_decided_is_not_known(low, high):
    """Of a capacity of 0.056 in units of 0.05, a tenth above one, with an error of 1 %."""

    def measure(evidence):
        rows = evidence.tables["geometry"].query(f"epoch == {BEST} and layer == 'linear3' and group == 'permuted'")
        ratio = rows["capacity"].iloc[0] / 0.05
        if not low - 1e-9 < ratio < high + 1e-9:
            raise NotTestable("it is not known there")
        return ratio

    (one,) = (one for one in registry.statements() if one.name == "permuted_at_lower_bound")
    where = {"layer": "linear3", "epoch": BEST, **PERMUTED}
    base = edited(study(), "geometry", "joint_capacity", 0.056, **where)
    base = edited(base, "geometry", "joint_capacity_standard_error", 0.00056, **where)
    claim = judge(one._replace(measure=measure), base)
    assert (claim.verdict, claim.measured) == ("undecided", pytest.approx(1.12))
    assert claim.reason.startswith("not certain with one seed: the standard error of its draws is not known; ")
    assert claim.reason.count("standard error") == 1
    assert "not measured" not in claim.reason


def test_epochs_that_are_not_compared_add_no_error():
    base = study()
    other = base.tables["geometry"].query(f"epoch == {FINAL}").assign(epoch=1, joint_capacity_standard_error=9.0)
    more = base._replace(tables={**base.tables, "geometry": pd.concat([base.tables["geometry"], other])})
    for name in ("permuted_rise_in_late_layers", "restored_fall_in_late_layers"):
        assert judged(name, more).reason == judged(name, base).reason
