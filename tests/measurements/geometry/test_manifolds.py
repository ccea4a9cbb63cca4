"""Both geometries of a network, and the rows that they become."""

import functools

import jax
import numpy as np
import pytest

from memorize_jax import data, models
from memorize_jax.activations import layer_activations
from memorize_jax.analysis import manifold_rows, manifolds
from memorize_jax.analysis.manifold_rows import geometry_rows, with_example_spread
from memorize_jax.geometry import layer_joint_geometry, layer_participation
from memorize_jax.geometry.status import CHECKPOINT_DAMAGED, TOO_FEW
from memorize_jax.storage.tables import GEOMETRY, JOINT, RESAMPLED

KEY = jax.random.key(0)
LAYERS = ("linear1", "linear2")
OPTIONS = {"layers": LAYERS, "key": KEY, "num_draws": 20, "num_center_components": 0}


@pytest.fixture(scope="module")
def network():
    """A function of options that measures four classes of six images, and the points of its layers."""
    images = np.random.default_rng(0).normal(size=(4, 6, 30)).astype(np.float32)
    model = models.create("mlp", num_classes=4, width=40)
    variables = model.init(KEY, images[0])
    statistics = data.channel_statistics(images.reshape(24, 30))
    shown = layer_activations(model, variables, data.standardize(images.reshape(24, 30), statistics), LAYERS)
    points = {name: value.reshape(4, 6, -1) for name, value in shown.items()}
    measure = lambda f, **changes: jax.jit(functools.partial(f, model, statistics=statistics, **OPTIONS, **changes))(
        variables, images
    )
    return measure, points


def test_joint_geometry_is_that_of_the_layers_on_the_same_points(network):
    measure, points = network
    found = measure(manifolds.network_geometries, joint_draws=30)
    expected = layer_joint_geometry(points, key=KEY, num_draws=30)
    assert found.joint.layers == ("input", *LAYERS)
    np.testing.assert_allclose(found.joint.capacity, expected.capacity, rtol=1e-4)
    rows = geometry_rows(
        found.mean_field, found.joint.layers, {"seed": 0, "epoch": 3, "group": "test", "kappa": 0.0}, joint=found.joint
    )
    assert [set(row) for row in rows] == 3 * [set(GEOMETRY)]
    for row in rows:
        own = found.joint[row["layer"]]
        assert row["joint_capacity"] == pytest.approx(float(own.capacity))
        assert row["joint_capacity_standard_error"] == pytest.approx(float(own.capacity_standard_error))
        assert (row["joint_classes"], row["joint_status"]) == (int(own.classes_per_draw), int(own.status))
        parts = row["joint_utility"] * (1 + row["joint_radius"] ** -2) / row["joint_dimension"]
        assert row["joint_capacity"] == pytest.approx(parts, rel=1e-4)
        assert not np.isnan([row[name] for name in JOINT]).any()


def test_a_class_without_a_participation_ratio_has_no_part_in_a_mean(network):
    measure, points = network
    found, directions = measure(manifolds.network_geometries, joint_draws=0), layer_participation(points)
    by_class = directions.by_class
    lacking = by_class._replace(
        corrected=by_class.corrected.at[1, 2].set(np.nan), status=by_class.status.at[1, 2].set(TOO_FEW)
    )
    common = {"seed": 0, "epoch": 3, "group": "test", "kappa": 0.0}
    rows = geometry_rows(
        found.mean_field, ("input", *LAYERS), common, participation=directions._replace(by_class=lacking)
    )
    assert [set(row) for row in rows] == 3 * [set(GEOMETRY)]
    for place, row in enumerate(rows):
        assert row["participation_ratio_corrected"] == pytest.approx(float(directions.together.corrected[place]))
        assert row["class_participation_ratio"] == pytest.approx(float(by_class.plain[place].mean()))
        assert np.isnan(row["class_participation_ratio_corrected"]) == (place == 1)
        assert row["participation_status"] == (TOO_FEW if place == 1 else 0)


def test_directions_of_wide_layers_are_those_of_whole_ones(network, monkeypatch):
    measure, points = network
    expected = layer_participation(points)

    def directions(model, variables, images, *, statistics, layers, **_):
        return manifolds.compiled_network_participation.__wrapped__(model, variables, images, statistics, layers=layers)

    for most in (manifolds.WHOLE_BYTES, 0):
        monkeypatch.setattr(manifolds, "WHOLE_BYTES", most)
        monkeypatch.setattr(manifolds, "PART_BYTES", 3 * 6 * 110 * 4)
        found = measure(directions)
        jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4), found, expected)


def test_without_draws_there_is_no_joint_geometry(network):
    found = network[0](manifolds.network_geometries, joint_draws=0)
    assert found.joint is None
    (row,) = geometry_rows(found.mean_field, ("linear1",), {"seed": 0, "epoch": 3, "group": "test", "kappa": 0.0})
    assert set(row) == set(GEOMETRY)
    assert np.isnan([row[name] for name in JOINT]).all()


def test_wide_layers_are_measured_a_few_classes_at_a_time(network, monkeypatch):
    asked = {}

    def streamed(layers_of, images, **options):
        asked.update(options, points=layers_of(images[0]))
        return "mean field", "joint"

    monkeypatch.setattr(manifolds, "streamed_geometries", streamed)
    # 30 features of the input and 40 of each layer, six examples, four bytes.
    monkeypatch.setattr(manifolds, "WHOLE_BYTES", 4 * 6 * 110 * 4 - 1)
    monkeypatch.setattr(manifolds, "PART_BYTES", 3 * 6 * 110 * 4)

    def kept(*arguments, **options):
        asked["found"] = manifolds.network_geometries(*arguments, **options)
        return 0

    network[0](kept, joint_draws=30, kappa=0.5)
    assert asked["found"] == ("mean field", "joint")
    assert (asked["manifolds_at_a_time"], asked["joint"]) == (3, {"num_draws": 30, "kappa": 0.5})
    assert {name: value.shape for name, value in asked["points"].items()} == {
        "input": (6, 30),
        "linear1": (6, 40),
        "linear2": (6, 40),
    }


def test_the_spread_over_examples_is_the_standard_deviation():
    repeats = [
        [{"capacity": capacity, "radius": 1.0, "dimension": float("nan"), "joint_capacity": 2 * capacity}]
        for capacity in (1.0, 2.0, 6.0)
    ]
    (row,) = with_example_spread(repeats)
    assert (row["capacity"], row["joint_capacity"], row["example_repeats"]) == (1.0, 2.0, 3)
    # Mean 3, deviations -2, -1, 3: the squares are 14 together.
    assert row["capacity_example_sd"] == pytest.approx(7**0.5)
    assert row["joint_capacity_example_sd"] == pytest.approx(2 * 7**0.5)
    assert row["radius_example_sd"] == 0
    assert np.isnan(row["dimension_example_sd"])
    (one,) = with_example_spread(repeats[:1])
    assert one["example_repeats"] == 1
    assert not set(one) & set(RESAMPLED[1:])


def test_a_damaged_epoch_has_no_numbers_and_says_why():
    rows = manifold_rows.missing_rows(LAYERS, {"epoch": 3}, shape=(4, 6), num_draws=20, numbers=(1, 2))
    assert [set(row) for row in rows] == 2 * [set(GEOMETRY)]
    assert [row["joint_status"] for row in rows] == 2 * [CHECKPOINT_DAMAGED]
    assert all(np.isnan(row[name]) for row in rows for name in (*JOINT[:-1], *RESAMPLED))
