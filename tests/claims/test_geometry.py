import numpy as np
import pytest
from scipy.optimize import nnls

from tests.claims.invented import BEST, FINAL, assert_judged, edited, judged, study, without
from tests.claims.test_training import no_permuted, stopped
from tests.oracles.anchors import capacity_radius_dimension

HELD = {
    "restored_capacity_like_test": 0.05,
    "restored_radius_like_test": 0.02,
    "restored_dimension_like_test": 0.03,
    "early_layers_alike_at_best": 0.05,
    "restored_untangle_with_depth": 1.2**4,
    "restored_radius_falls_with_depth": 0.95**4,
    "restored_dimension_falls_with_depth": 0.95**4,
    "permuted_at_lower_bound": 1.1,
    "permuted_rise_in_late_layers": 3.0,
    # The last of five layers gains twice its capacity, the others 2 % of it.
    "memorized_mostly_in_late_layers": 2 / (2 + 4 * 0.02),
    # Radius 0.7, dimension 0.8.
    "permuted_shrink_in_late_layers": 0.8,
    "restored_fall_in_late_layers": 0.5,
    "early_layers_unchanged": 0.02,
    "early_layers_alike_at_the_end": 0.05,
    "unpermuted_as_at_best_epoch": 0.02,
}
OF_THE_BEST_EPOCH = {name for name in HELD if name.startswith("restored_") and name != "restored_fall_in_late_layers"}
OF_THE_BEST_EPOCH |= {"early_layers_alike_at_best", "permuted_at_lower_bound"}
EARLY, LATE = {"layer": "linear1"}, {"layer": "linear5"}
UNPERMUTED, PERMUTED, RESTORED = ({"group": group} for group in ("unpermuted", "permuted", "restored"))
AT_BEST, AT_END = {"epoch": BEST}, {"epoch": FINAL}


@pytest.mark.parametrize(("name", "value"), HELD.items())
def test_what_holds(name, value):
    assert_judged(name, study(), "holds", value)


@pytest.mark.parametrize(
    ("name", "column", "value", "where", "measured"),
    [
        # One layer is enough, in whichever direction it differs.
        (
            "restored_capacity_like_test",
            "joint_capacity",
            "* 0.8",
            RESTORED | AT_BEST | {"layer": "linear3"},
            1 - 1.05 * 0.8,
        ),
        ("restored_radius_like_test", "radius", "* 1.2", RESTORED | AT_BEST | LATE, 1.02 * 1.2 - 1),
        ("restored_dimension_like_test", "dimension", "* 1.2", RESTORED | AT_BEST | LATE, 1.03 * 1.2 - 1),
        ("early_layers_alike_at_best", "joint_capacity", "* 1.1", RESTORED | AT_BEST | EARLY, 1.1 * 1.05 - 1),
        ("early_layers_alike_at_the_end", "joint_capacity", "* 1.1", UNPERMUTED | AT_END | EARLY, 1.1 * 1.05 - 1),
        ("restored_radius_falls_with_depth", "radius", "* 1.2", RESTORED | AT_BEST | LATE, 1.2 * 0.95**4),
        ("restored_dimension_falls_with_depth", "dimension", "* 1.2", RESTORED | AT_BEST | LATE, 1.2 * 0.95**4),
        ("unpermuted_as_at_best_epoch", "joint_capacity", "* 0.8", UNPERMUTED | AT_END | LATE, 0.2),
        ("restored_untangle_with_depth", "joint_capacity", "* 0.5", RESTORED | AT_BEST | LATE, 1.2**4 / 2),
        ("permuted_at_lower_bound", "joint_capacity", 0.052, PERMUTED | AT_BEST | {"layer": "linear2"}, 1.3),
        ("permuted_rise_in_late_layers", "joint_capacity", 0.045, PERMUTED | AT_END | LATE, 0.045 / 0.044),
        ("memorized_mostly_in_late_layers", "joint_capacity", 3 * 0.044, PERMUTED | AT_END, 1 / 5),
        ("permuted_shrink_in_late_layers", "dimension", 9.5, PERMUTED | AT_END | LATE, 0.95),
        ("permuted_shrink_in_late_layers", "radius", 1.1, PERMUTED | AT_END | LATE, 1.1),
        ("restored_fall_in_late_layers", "joint_capacity", "* 1.9", RESTORED | AT_END | LATE, 0.95),
        ("early_layers_unchanged", "joint_capacity", "* 1.5", {"group": "test"} | EARLY | AT_END, 0.53),
    ],
)
def test_what_does_not_hold(name, column, value, where, measured):
    assert_judged(name, edited(study(), "geometry", column, value, **where), "does not hold", measured)


@pytest.mark.parametrize("name", HELD)
def test_the_output_and_the_input_decide_nothing(name):
    base = edited(study(), "geometry", "joint_capacity", 77.0, layer=("input", "linear6"))
    base = edited(base, "geometry", "radius", 77.0, layer=("input", "linear6"))
    assert judged(name, base).measured == pytest.approx(HELD[name])


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_permuted, "no label was permuted"),
        (lambda base: without(base, "geometry"), "python -m experiments.geometry --workdir=runs/mine"),
        (lambda base: edited(base, "metrics", "test_accuracy", 0.95, epoch=FINAL), "best and final epoch are one"),
        (lambda base: edited(base, "metrics", "unpermuted_accuracy", np.nan, seed=0), "all labels were permuted"),
    ],
)  # fmt: skip
def test_what_is_not_testable(name, spoil, reason):
    claim = judged(name, spoil(study()))
    assert claim.verdict == "not testable"
    assert reason in claim.reason


@pytest.mark.parametrize("name", sorted(set(HELD) - OF_THE_BEST_EPOCH))
def test_a_run_stopped_before_it_memorized_says_nothing_of_the_final_epoch(name):
    claim = judged(name, stopped(study()))
    assert claim.verdict == "not testable"
    assert "before the network memorized" in claim.reason


@pytest.mark.parametrize("name", HELD)
def test_an_epoch_that_was_not_measured_is_named(name):
    stage, epoch = ("final", FINAL) if name == "early_layers_alike_at_the_end" else ("best", BEST)
    assert judged(name, without(study(), "geometry", epoch=epoch)).reason == (
        f"nothing was measured at the {stage} epoch, {epoch}; measure it "
        "with: python -m experiments.geometry --workdir=runs/mine --geometry_epochs=best,final"
    )


def test_a_number_that_could_not_be_had_is_named():
    base = edited(study(), "geometry", "radius", np.nan, **RESTORED, **AT_BEST, layer="linear3")
    assert judged("restored_radius_like_test", base).reason == "no radius of restored manifolds at linear3"


def test_the_bound_is_one_without_margin():
    claim = judged("permuted_at_lower_bound", edited(study(), "geometry", "kappa", 0.5, seed=0))
    assert "without margin" in claim.reason


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "not testable"), (1.09, "not testable"), (1.12, "holds (one seed)")]
)
def test_where_no_layer_gained_there_is_nothing_to_locate(factor, verdict):
    base = edited(study(), "geometry", "joint_capacity", 0.044, **PERMUTED, **AT_END)
    base = edited(base, "geometry", "joint_capacity", 0.044 * factor, **PERMUTED, **AT_END, **LATE)
    claim = judged("memorized_mostly_in_late_layers", base)
    assert claim.verdict == verdict
    assert ("in no layer permuted capacity rose by a tenth" in claim.reason) == (verdict == "not testable")


def test_two_hidden_layers_are_too_few():
    base = study()._replace(layers=("linear1", "linear2", "linear6"))
    assert "2 hidden layers are too few" in judged("early_layers_unchanged", base).reason


def multiple_of_bound(points, rng):
    """Mean capacity of manifolds [P, M, N] in units of 2/M, by the oracle."""
    _, num_examples, _ = points.shape
    capacities = []
    for own in points:
        center = own.mean(axis=0)
        axes, sizes, _ = np.linalg.svd((own - center) / np.linalg.norm(center), full_matrices=False)
        frame = np.column_stack([axes * sizes, np.ones(num_examples)])
        draws = rng.normal(size=(100, num_examples + 1))
        capacities.append(capacity_radius_dimension(frame, draws)[0])
    return num_examples / 2 / np.mean(1 / np.array(capacities))


def multiple_of_bound_by_cones(points, rng, num_draws=40):
    """P / E ||v||^2 in units of 2/M, v the projection of a draw on the cone of all signed points."""
    num_classes, num_examples, num_features = points.shape
    flat, lengths = points.reshape(-1, num_features), []
    for _ in range(num_draws):
        labels = rng.permutation(np.repeat([-1, 1], num_classes // 2))
        cone, draw = (np.repeat(labels, num_examples)[:, None] * flat).T, rng.normal(size=num_features)
        lengths.append(np.sum(draw**2) - nnls(cone, draw)[1] ** 2)
    return num_classes * num_examples / 2 / np.mean(lengths)


@pytest.mark.parametrize(("num_true", "mean_field"), [(10, 1.30), (80, 1.02)])
def test_mean_field_capacity_lies_above_the_bound_where_true_classes_are_few(num_true, mean_field):
    """Random labels on tight true classes, as in late layers: a hyperplane separates no more than the bound.

    As the reason of the threshold of permuted_at_lower_bound says.
    """
    rng = np.random.default_rng(0)
    num_classes, num_examples, num_features = 10, 20, 200
    true = rng.permutation(np.arange(num_classes * num_examples) % num_true)
    points = rng.normal(size=(num_true, num_features))[true] + 0.3 * rng.normal(size=(len(true), num_features))
    points = (points - points.mean(axis=0)).reshape(num_classes, num_examples, num_features)
    assert multiple_of_bound(points, rng) == pytest.approx(mean_field, abs=0.06)
    assert multiple_of_bound_by_cones(points, rng) == pytest.approx(1.01, abs=0.08)
