import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import data, geometry, models
from memorize_jax.analysis import group_geometry
from memorize_jax.geometry import status
from memorize_jax.geometry.batching import chunked_map
from tests.eight_devices import geometry_of_clouds, geometry_shared_by_devices
from tests.geometry.shared import JITTED, KEY, OPTIONS, POINTS, measure, on_axes, told
from tests.oracles import reference

SINGLE = POINTS.astype(np.float32)


@pytest.mark.parametrize("name", reference.ONE_QUICKLY)
def test_matches_the_published_pipeline_at_its_own_basis(name):
    stored = reference.arrays()
    basis = stored[f"{name}/center_basis"]
    options = {"key": KEY, "num_draws": 1000, "center_basis": basis, "compat": "mftma"}
    result = geometry.manifold_geometry(reference.points(name), **options)
    for measured in ("capacity", "radius", "dimension"):
        ours, theirs = np.asarray(getattr(result, measured)), stored[f"{name}/at_basis_{measured}"]
        # Sampling noise of 1,000 draws on both sides is 1 to 3 % per manifold and averages out over manifolds.
        np.testing.assert_allclose(np.mean(ours), np.mean(theirs), rtol=0.025)
        np.testing.assert_allclose(ours, theirs, rtol=0.15)
    assert np.all(result.status == status.OK)


def test_scale_translation_and_rotation_do_not_matter():
    before, rotation = told(SINGLE), np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    for after in (SINGLE * 1e-12, SINGLE * 1e12, SINGLE + 5, SINGLE[..., ::-1], SINGLE @ rotation):
        np.testing.assert_allclose(told(np.asarray(after, np.float32)), before, rtol=2e-3)


def test_collapsed_classes_have_the_capacity_of_points_and_random_points_that_of_cover():
    rng = np.random.default_rng(0)
    collapsed = np.repeat(rng.normal(size=(20, 1, 500)), 5, axis=1)
    for points, capacity in ((collapsed, 2), (rng.normal(size=(20, 5, 500)), 2 / 5)):
        found = measure(points.astype(np.float32), num_draws=1000)
        np.testing.assert_allclose(found.summary()["capacity"], capacity, rtol=0.03)
    assert np.all(found.radius > 0)


def test_a_list_of_manifolds_may_be_unequal():
    np.testing.assert_allclose(measure(list(SINGLE)).capacity, measure(SINGLE).capacity, rtol=1e-5)
    with pytest.warns(UserWarning, match="class 3: a single example, so no radius and no dimension"):
        unequal = measure([SINGLE[0], SINGLE[1][:3], SINGLE[2], SINGLE[3][:1]])
    assert unequal.num_examples.tolist() == [6, 3, 6, 1]
    assert np.all(np.isfinite(unequal.capacity))
    assert unequal.rank.tolist() == [5, 2, 5, 0]


def test_two_manifolds_of_fewer_features_than_examples():
    points = np.random.default_rng(0).normal(size=(2, 12, 3)) + np.arange(2)[:, None, None]
    result = measure(points.astype(np.float32), num_center_components=None, solver="active_set")
    assert np.all(result.status == status.OK)
    assert int(result.num_center_components) == 0
    assert np.all(result.rank == 3)
    assert np.all(result.kkt_residual < 1e-3)
    assert np.all(result.dimension <= 3)


def test_same_key_same_answer_and_draws_can_be_given():
    np.testing.assert_array_equal(told(SINGLE), told(SINGLE))
    draws = np.random.default_rng(0).normal(size=(50, 7))
    shared, own = measure(SINGLE, draws=draws), measure(SINGLE, draws=np.broadcast_to(draws, (4, 50, 7)))
    np.testing.assert_array_equal(shared.capacity, own.capacity)


@pytest.mark.slow
def test_float32_agrees_with_float64():
    draws = np.random.default_rng(0).normal(size=(50, 7))
    single = measure(SINGLE, draws=draws, solver="active_set")
    with jax.enable_x64(True):
        double = measure(SINGLE.astype(np.float64), draws=draws, solver="active_set")
    assert (single.capacity.dtype, double.capacity.dtype) == (jnp.float32, jnp.float64)
    for name in ("capacity", "radius", "dimension"):
        np.testing.assert_allclose(getattr(single, name), getattr(double, name), rtol=1e-4)


def test_jit_changes_nothing_and_results_print_in_a_line():
    eager, jitted, printed = measure(SINGLE), JITTED(SINGLE), []
    for name in ("capacity", "dimension"):
        np.testing.assert_allclose(getattr(jitted, name), getattr(eager, name), rtol=1e-4)
    assert repr(eager).startswith("ManifoldGeometry(4 classes: capacity 0.")
    summary = eager.summary()
    np.testing.assert_allclose(summary["capacity"], 1 / np.mean(1 / np.asarray(eager.capacity)), rtol=1e-6)
    np.testing.assert_allclose(summary["radius"], np.mean(eager.radius), rtol=1e-6)
    jax.make_jaxpr(lambda x: printed.append(repr(jax.tree.map(lambda leaf: leaf * x, eager))) or x)(1.0)
    printed.append(repr(jax.tree.map(lambda leaf: object(), eager)))
    assert printed == ["ManifoldGeometry(layers=None, classes=None: no concrete numbers)"] * 2


@pytest.mark.parametrize("chunk", [None, 1, 2, 5, 9])
def test_chunks_are_padded_and_cut(chunk):
    items = (np.arange(5.0), np.arange(10.0).reshape(5, 2))
    found = chunked_map(lambda item: item[0] * item[1], items, chunk)
    np.testing.assert_array_equal(found, items[0][:, None] * items[1])


@pytest.mark.slow
def test_vmap_and_chunks_change_nothing():
    run = lambda points, **options: measure(points, solver="active_set", **options)
    eager, vmapped = run(SINGLE), jax.vmap(run)(jnp.stack([SINGLE, 2 * SINGLE[::-1]]))
    for other in (run(SINGLE, chunk=3), jax.tree.map(lambda leaf: leaf[0], vmapped)):
        np.testing.assert_allclose(other.capacity, eager.capacity, rtol=1e-4)
        np.testing.assert_allclose(other.dimension, eager.dimension, rtol=1e-4)


@pytest.mark.parametrize(
    "joint", [None, pytest.param({"num_draws": 30, "classes_per_draw": 4}, marks=pytest.mark.slow)]
)
def test_streamed_layers_are_those_held_whole_and_keep_their_names(joint):
    """Five manifolds, two at a time: the last part is padded."""
    rng = np.random.default_rng(0)
    points = np.float32(rng.normal(size=(5, 6, 12)) + 2 * rng.normal(size=(5, 1, 12)))
    weights = np.float32(rng.normal(size=(12, 9)))
    layers_of = lambda x: {"same": x, "relu": jnp.maximum(x @ weights, 0)}

    @jax.jit
    def streamed(points):
        return geometry.streamed_geometries(layers_of, points, manifolds_at_a_time=2, joint=joint, **OPTIONS)

    expected = [geometry.layer_geometry(layers_of(points), **OPTIONS)]
    fields = [("capacity", "radius", "dimension", "center_correlation", "center_norm")]
    if joint:
        expected.append(geometry.layer_joint_geometry(layers_of(points), key=KEY, **joint))
        fields.append(("capacity", "radius", "dimension", "rank", "class_capacity"))
    results, without = (list(filter(None, streamed(own))) for own in (points, points * np.float32(np.nan)))
    for found, whole, names in zip(results, expected, fields, strict=True):
        assert found.layers == whole.layers == ("same", "relu")
        for name in names:
            np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=2e-3, err_msg=name)
    assert all(np.all(np.isnan(found.capacity)) for found in without)
    with pytest.raises(ValueError, match="expected at least 2 manifolds, got 1"):
        streamed(points[:1])
    with pytest.raises(ValueError, match="expected num_center_components for layers, got center_basis"):
        geometry.streamed_layer_geometry(layers_of, points, manifolds_at_a_time=2, key=KEY, center_basis=np.eye(12))


@pytest.mark.slow
def test_one_device_equals_eight(eight_devices):
    across = np.load(eight_devices / "geometry.npz")["capacity"]
    np.testing.assert_allclose(across, geometry_of_clouds(), rtol=1e-4)


@pytest.mark.slow
def test_eight_devices_share_layers_and_classes_and_find_the_same(eight_devices):
    shared = np.load(eight_devices / "geometry_shared.npz")
    for name, alone in geometry_shared_by_devices().items():
        np.testing.assert_allclose(shared[name], alone, rtol=1e-4, atol=1e-6, err_msg=name)


def test_devices_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="expected devices between 1 and 1, got 2"):
        geometry.manifold_geometry(np.zeros((2, 3, 4)), key=KEY, devices=2)


@pytest.mark.slow
def test_inside_a_jitted_evaluation_step():
    """From variables, images and fixed examples to the geometry of every layer, traced once."""
    model = models.create("mlp", num_classes=4, width=8)
    images = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    variables = model.init(KEY, images[:1])
    indices = {"one": np.arange(20).reshape(4, 5), "two": np.arange(20, 40).reshape(4, 5)}
    options = {"statistics": data.channel_statistics(images), "layers": models.layer_names("mlp"), **OPTIONS}

    @jax.jit
    def evaluate(variables, images):
        return group_geometry(model, variables, {"one": images, "two": images}, indices, **options)

    found = evaluate(variables, images)
    assert found["one"].capacity.shape == (7, 4)
    alone = measure(images[indices["two"]])
    np.testing.assert_allclose(found["two"].capacity[0], alone.capacity, rtol=1e-3)


def test_bad_numbers_are_an_error_outside_jit_and_a_status_inside():
    points = SINGLE.copy()
    points[2, 3, 4] = np.nan
    with pytest.raises(ValueError, match=r"1 NaN or infinite values, the first in manifold 2, example 3, feature 4"):
        measure(points)
    result = JITTED(points)
    assert not np.any(np.isfinite(result.capacity))
    assert int(result.status[2]) & status.NOT_FINITE
    assert int(result.status[0]) & status.OTHERS_NOT_FINITE
    assert "NaN" in status.describe(result.status[2])
    assert not np.any(np.isfinite(JITTED(np.where(np.isnan(points), np.inf, points)).capacity))


def test_a_manifold_of_equal_points_is_a_point():
    points = np.random.default_rng(0).normal(size=(5, 10, 30)).astype(np.float32) + 3
    points[[2, 4]] = points[[2, 4], 1:2]
    result = JITTED(points)
    assert result.radius[2] == result.radius[4] == result.dimension[2] == result.dimension[4] == 0
    assert min(result.radius[0], result.dimension[0]) > 0.1
    assert not np.any(result.status)


def test_vanished_centers_are_a_status_not_a_number():
    points = SINGLE - SINGLE.mean(axis=1, keepdims=True)
    points[1] += 3
    points[2] -= 3
    points[3] += np.arange(8)
    points -= points[1:].mean(axis=(0, 1))
    points[0] -= points[0].mean(axis=0)
    with pytest.warns(UserWarning, match="^class 0: its center coincides"):
        result = measure(points)
    assert result.status.tolist() == [status.CENTER_VANISHED, 0, 0, 0]
    assert "coincides with the mean" in status.describe(result.status[0])
    assert np.isnan(result.capacity[0])
    assert np.isnan(result.summary()["capacity"])
    assert np.all(np.isfinite(result.capacity[1:]))
    with pytest.warns(UserWarning, match="^classes 0, 1, 2, 3: its center"):
        result = measure(np.zeros((4, 6, 8), np.float32))
    assert np.all(np.isnan(result.capacity))
    assert np.all(result.status == status.CENTER_VANISHED)


@pytest.mark.parametrize("compat", [None, pytest.param("mftma", marks=pytest.mark.slow)])
@pytest.mark.parametrize("num_axes", [1, 2, 3, 4])
def test_few_axes_leave_finite_numbers(num_axes, compat):
    result = measure(on_axes(num_axes), num_center_components=None, compat=compat, vary_components=True)
    assert np.all(result.status == status.OK)
    assert np.all(np.isfinite(result.capacity))
    num_components = int(result.num_center_components)
    assert num_components < num_axes
    assert compat or result.residual_correlation <= result.center_correlation
    assert np.isfinite(result.capacity_fewer_components) == (num_components > 0)
    assert np.isfinite(result.capacity_more_components) == (num_components < num_axes - 1)


@pytest.mark.slow
def test_few_axes_in_double_precision(x64):
    found = measure(on_axes(2).astype(np.float64), num_center_components=None)
    assert np.all(np.isfinite(found.capacity))


def test_more_components_than_the_centers_have_are_refused():
    with pytest.raises(ValueError, match=r"between 0 and 1 \(rank of the centers minus 1\), got 2"):
        measure(on_axes(2), num_center_components=2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        geometry.layer_geometry({"wide": on_axes(8), "narrow": on_axes(2)}, **OPTIONS | {"num_center_components": 2})


@pytest.mark.slow
def test_more_components_than_the_centers_have_are_a_status_inside_jit():
    together = np.stack([on_axes(2), on_axes(4)])
    result = jax.jit(jax.vmap(lambda points: measure(points, num_center_components=2)))(together)
    assert np.all(result.status[0] == status.CENTER_REMOVED)
    assert np.all(np.isnan(result.capacity[0]))
    assert not np.any(result.status[1] & status.INVALID)


def test_what_took_a_center_away_is_said_and_what_a_given_basis_leaves_is_what_there_was():
    basis = {"num_center_components": None, "center_basis": np.eye(8)[:3], "vary_components": True}
    points = np.where(np.arange(8) < 3, SINGLE, 0)
    with pytest.warns(UserWarning, match="^classes 0, .*: the removal of shared directions took its whole center away"):
        result = measure(points, **basis)
    assert np.all(result.status == status.CENTER_REMOVED)
    assert np.all(np.isnan(result.capacity))
    assert np.all(result.retained_center_norm == 0)
    # As at the published tool's own basis of `spheres`, which leaves one class less than 5 % of its center.
    result = measure(points + 0.05 * np.where(np.arange(8) < 3, 0, SINGLE), **basis)
    assert np.all(result.status == status.OK)
    np.testing.assert_allclose(result.retained_center_norm, 1, rtol=1e-5)
    # Around it there is nothing to vary.
    assert np.isnan([result.capacity_fewer_components, result.capacity_more_components]).all()


def test_a_given_basis_is_counted_and_the_correlation_is_that_before_it():
    options = {"num_center_components": None, "center_basis": np.linalg.qr(np.ones((8, 2)) + np.eye(8)[:, :2])[0]}
    found, before = measure(POINTS, **options), measure(POINTS, num_center_components=0)
    np.testing.assert_allclose(found.center_correlation, before.center_correlation, rtol=1e-5)
    assert int(found.num_center_components) == 2
    assert abs(float(found.residual_correlation) - float(before.center_correlation)) > 1e-3


def test_two_manifolds_have_no_other_number_of_directions():
    found = measure(POINTS[:2], num_center_components=None, vary_components=True)
    assert np.isnan([found.capacity_fewer_components, found.capacity_more_components]).all()


def test_what_is_not_finite_has_no_size_and_no_residual():
    points = np.where(np.arange(POINTS.size).reshape(POINTS.shape) == 0, np.nan, POINTS)
    found = jax.jit(lambda points: measure(points))(points)
    assert np.isnan([found.center_norm, found.kkt_residual, found.active_fraction]).all()


@pytest.mark.slow
def test_capacity_around_a_forced_number_is_that_of_the_numbers_beside_it():
    points = np.random.default_rng(0).normal(size=(8, 1, 20)) + np.random.default_rng(1).normal(size=(8, 8, 20)) / 2
    points = points.astype(np.float32)
    found = measure(points, num_center_components=2, vary_components=True)
    alone = [measure(points, num_center_components=number) for number in (1, 2, 3)]
    varied = found.capacity_fewer_components, found.summary()["capacity"], found.capacity_more_components
    np.testing.assert_allclose(varied, [one.summary()["capacity"] for one in alone], rtol=1e-4)
    np.testing.assert_allclose(found.radius, alone[1].radius, rtol=1e-4)
    assert np.isnan(alone[1].capacity_fewer_components)
    assert np.isnan(alone[1].capacity_more_components)


@pytest.mark.slow
def test_capacity_around_a_chosen_number_under_jit_and_by_layers(x64):
    # In float32 the search ends elsewhere if anything is rounded otherwise, which moves capacities by some thousandths.
    layers = {"plain": on_axes(8), "shared": on_axes(8) + 4 * np.eye(10, 8)[:, :1, None]}
    layers = {name: points.astype(float) for name, points in layers.items()}
    options = OPTIONS | {"num_center_components": None}
    found = jax.jit(lambda layers: geometry.layer_geometry(layers, **options, vary_components=True))(layers)
    plain = geometry.layer_geometry(layers, **options)
    np.testing.assert_array_equal(found.num_center_components, plain.num_center_components)
    np.testing.assert_allclose(found.capacity, plain.capacity, rtol=1e-5)
    for name in layers:
        there = int(found[name].num_center_components) > 0
        assert np.isfinite(found[name].capacity_fewer_components) == there
        assert np.isfinite(found[name].capacity_more_components)
