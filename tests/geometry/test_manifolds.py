import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import data, geometry, models
from memorize_jax.analysis import group_geometry
from memorize_jax.geometry import status
from tests.eight_devices import geometry_of_clouds
from tests.oracles import reference

KEY = jax.random.key(0)


def cloud(seed=0, num_manifolds=6, num_examples=8, num_features=20):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(num_manifolds, 1, num_features))
    return (centers + 0.5 * rng.normal(size=(num_manifolds, num_examples, num_features))).astype(np.float32)


def measure(points, **options):
    return geometry.manifold_geometry(points, key=KEY, **{"num_draws": 100, "num_center_components": 0, **options})


@pytest.mark.parametrize("name", reference.ONE_QUICKLY)
def test_matches_the_published_pipeline_at_its_own_basis(name):
    stored = reference.arrays()
    basis = stored[f"{name}/center_basis"]
    result = geometry.manifold_geometry(
        reference.points(name), key=KEY, num_draws=1000, center_basis=basis, compat="mftma"
    )
    for measure_name in ("capacity", "radius", "dimension"):
        ours = np.asarray(getattr(result, measure_name))
        theirs = stored[f"{name}/at_basis_{measure_name}"]
        # Sampling noise of 1,000 draws on both sides is 1 to 3 % per manifold and averages out over manifolds.
        np.testing.assert_allclose(np.mean(ours), np.mean(theirs), rtol=0.025)
        np.testing.assert_allclose(ours, theirs, rtol=0.15)
    assert np.all(result.status == status.OK)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x * 1e-12,
        lambda x: x * 1e12,
        lambda x: x + 5,
        lambda x: x @ np.linalg.qr(np.random.default_rng(1).normal(size=(20, 20)))[0],
    ],
    ids=["1e-12", "1e12", "translation", "rotation"],
)
def test_scale_translation_and_rotation_do_not_matter(change):
    before, after = measure(cloud()), measure(np.asarray(change(cloud()), np.float32))
    for name in ("capacity", "radius", "dimension", "center_correlation"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=2e-3)


def test_order_of_features_does_not_matter_but_extra_zeros_neither():
    points = cloud()
    padded = np.concatenate([points[..., ::-1], np.zeros((6, 8, 30), np.float32)], axis=-1)
    np.testing.assert_allclose(measure(padded).capacity, measure(points).capacity, rtol=1e-4)


def test_isolated_points_have_capacity_two():
    points = np.random.default_rng(0).normal(size=(50, 1, 200)).astype(np.float32)
    result = measure(points, num_draws=2000)
    np.testing.assert_allclose(result.summary()["capacity"], 2, rtol=0.02)
    np.testing.assert_array_equal(result.radius, 0)


def test_collapsed_classes_are_points():
    points = np.repeat(np.random.default_rng(0).normal(size=(20, 1, 50)), 5, axis=1).astype(np.float32)
    np.testing.assert_allclose(measure(points, num_draws=2000).summary()["capacity"], 2, rtol=0.03)


def test_random_points_have_the_lower_bound():
    points = np.random.default_rng(0).normal(size=(30, 20, 3000)).astype(np.float32)
    np.testing.assert_allclose(measure(points, num_draws=500).summary()["capacity"], 2 / 20, rtol=0.03)


def test_a_list_of_manifolds_may_be_unequal():
    points = cloud(num_manifolds=4)
    np.testing.assert_allclose(measure(list(points)).capacity, measure(points).capacity, rtol=1e-5)
    with pytest.warns(UserWarning, match="class 3: a single example, so no radius and no dimension"):
        unequal = measure([points[0], points[1][:3], points[2], points[3][:1]])
    assert unequal.num_examples.tolist() == [8, 3, 8, 1]
    assert np.all(np.isfinite(unequal.capacity))
    assert unequal.rank.tolist() == [7, 2, 7, 0]


def test_two_manifolds_two_examples():
    result = measure(cloud(num_manifolds=2, num_examples=2), num_center_components=None)
    assert np.all(result.status == status.OK)
    assert int(result.num_center_components) == 0
    np.testing.assert_allclose(result.dimension, 1, atol=0.2)


def test_fewer_features_than_examples():
    result = measure(cloud(num_examples=30, num_features=5), num_draws=200)
    assert np.all(result.rank == 5)
    assert np.all(result.kkt_residual < 1e-3)
    assert np.all(result.dimension <= 5)


def test_same_key_same_answer_and_draws_can_be_given():
    points = cloud()
    np.testing.assert_array_equal(measure(points).capacity, measure(points).capacity)
    draws = np.random.default_rng(0).normal(size=(50, 9)).astype(np.float32)
    shared = measure(points, draws=draws)
    own = measure(points, draws=np.broadcast_to(draws, (6, 50, 9)))
    np.testing.assert_array_equal(shared.capacity, own.capacity)


def test_jit_vmap_and_chunks_change_nothing():
    points = cloud()
    eager = measure(points)
    jitted = jax.jit(measure)(points)
    chunked = measure(points, chunk=4)
    vmapped = jax.vmap(measure)(jnp.stack([points, cloud(1)]))
    for other in (jitted, chunked, jax.tree.map(lambda leaf: leaf[0], vmapped)):
        np.testing.assert_allclose(other.capacity, eager.capacity, rtol=1e-4)
        np.testing.assert_allclose(other.dimension, eager.dimension, rtol=1e-4)


def test_float32_agrees_with_float64(x64):
    points = cloud()
    draws = np.random.default_rng(0).normal(size=(100, 9))
    single, double = measure(points, draws=draws), measure(points.astype(np.float64), draws=draws)
    assert (single.capacity.dtype, double.capacity.dtype) == (jnp.float32, jnp.float64)
    np.testing.assert_allclose(single.capacity, double.capacity, rtol=1e-4)
    np.testing.assert_allclose(single.radius, double.radius, rtol=1e-4)
    np.testing.assert_allclose(single.dimension, double.dimension, rtol=1e-4)


def test_layers_in_one_call_equal_layers_one_by_one():
    layers = {"narrow": cloud(num_features=12), "wide": cloud(2, num_features=50)}
    together = geometry.layer_geometry(layers, key=KEY, num_draws=100, num_center_components=0)
    for number, points in enumerate(layers.values()):
        alone = measure(points)
        np.testing.assert_allclose(together.capacity[number], alone.capacity, rtol=1e-4)
        np.testing.assert_allclose(together.center_correlation[number], alone.center_correlation, rtol=1e-5)
    assert together.summary()["capacity"].shape == (2,)


def test_a_few_manifolds_at_a_time_equal_all_at_once():
    """Five manifolds, two at a time: the last part is padded."""
    points, options = cloud(num_manifolds=5), {"key": KEY, "num_draws": 50, "num_center_components": 0}
    layers_of = lambda x: {"same": x, "squared": x**2}

    @jax.jit
    def streamed(points):
        return geometry.streamed_layer_geometry(layers_of, points, manifolds_at_a_time=2, **options)

    found, expected = streamed(points), geometry.layer_geometry(layers_of(points), **options)
    for name in ("capacity", "radius", "dimension", "center_correlation", "center_norm"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=2e-3)
    assert np.all(np.isnan(streamed(points * np.float32(np.nan)).capacity))


def test_one_device_equals_eight(eight_devices):
    across = np.load(eight_devices / "geometry.npz")["capacity"]
    np.testing.assert_allclose(across, geometry_of_clouds(), rtol=1e-4)


@pytest.mark.slow
def test_inside_a_jitted_evaluation_step():
    """From variables, images and fixed examples to the geometry of every layer, traced once."""
    model = models.create("mlp", num_classes=4, width=8)
    images = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    variables = model.init(KEY, images[:1])
    indices = {"one": np.arange(20).reshape(4, 5), "two": np.arange(20, 40).reshape(4, 5)}
    options = {
        "statistics": data.channel_statistics(images),
        "layers": models.layer_names("mlp"),
        "key": KEY,
        "num_draws": 30,
        "num_center_components": 0,
    }

    @jax.jit
    def evaluate(variables, images):
        return group_geometry(model, variables, {"one": images, "two": images}, indices, **options)

    found = evaluate(variables, images)
    assert found["one"].capacity.shape == (7, 4)
    alone = measure(images[indices["two"]], num_draws=30)
    np.testing.assert_allclose(found["two"].capacity[0], alone.capacity, rtol=1e-3)


def test_summary_is_the_harmonic_mean_of_capacity():
    result = measure(cloud())
    np.testing.assert_allclose(result.summary()["capacity"], 1 / np.mean(1 / np.asarray(result.capacity)), rtol=1e-6)
    np.testing.assert_allclose(result.summary()["radius"], np.mean(result.radius), rtol=1e-6)


def test_nan_is_an_error_outside_jit_and_a_status_inside():
    points = cloud()
    points[2, 3, 4] = np.nan
    with pytest.raises(ValueError, match=r"1 NaN or infinite values, the first in manifold 2, example 3, feature 4"):
        measure(points)
    result = jax.jit(measure)(points)
    assert not np.any(np.isfinite(result.capacity))
    assert int(result.status[2]) & status.NOT_FINITE
    assert int(result.status[0]) & status.OTHERS_NOT_FINITE
    assert "NaN" in status.describe(result.status[2])


def test_infinite_points_are_a_status_inside_jit():
    points = cloud()
    points[0, 0, 0] = np.inf
    assert not np.any(np.isfinite(jax.jit(measure)(points).capacity))


def test_vanished_center_is_a_status_not_a_number():
    points = cloud(num_manifolds=3)
    points = points - points.mean(axis=1, keepdims=True)
    points[1] += 3
    points[2] -= 3
    with pytest.warns(UserWarning, match="^class 0: its centre coincides"):
        result = measure(points)
    assert int(result.status[0]) & status.CENTER_VANISHED
    assert np.isnan(result.capacity[0])
    assert np.all(np.isfinite(result.capacity[1:]))


def on_axes(num_axes):
    """Ten classes whose points differ along a few axes only."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(10, 1, 8)) * 2 + rng.normal(size=(10, 20, 8))
    points[..., num_axes:] = 0
    return points.astype(np.float32)


@pytest.mark.parametrize(
    ("num_axes", "compat"),
    [
        (1, None),
        (2, "mftma"),
        *(
            pytest.param(num_axes, compat, marks=pytest.mark.slow)
            for num_axes, compat in ((1, "mftma"), (2, None), (3, None), (3, "mftma"), (4, None), (4, "mftma"))
        ),
    ],
)
def test_few_axes_leave_finite_numbers(num_axes, compat):
    result = measure(on_axes(num_axes), num_center_components=None, compat=compat)
    assert np.all(result.status == status.OK)
    assert np.all(np.isfinite(result.capacity))
    assert int(result.num_center_components) < num_axes
    assert compat or result.residual_correlation <= result.center_correlation


def test_few_axes_in_double_precision(x64):
    result = measure(on_axes(2).astype(np.float64), num_center_components=None)
    assert np.all(np.isfinite(result.capacity))
    with pytest.raises(ValueError, match=r"between 0 and 1 \(rank of the centers minus 1\), got 2"):
        measure(on_axes(2).astype(np.float64), num_center_components=2)


def test_more_components_than_the_centres_have_are_refused_and_inside_jit_say_so():
    with pytest.raises(ValueError, match=r"between 0 and 1 \(rank of the centers minus 1\), got 2"):
        measure(on_axes(2), num_center_components=2)
    together = np.stack([on_axes(2), on_axes(4)])
    result = jax.jit(jax.vmap(lambda points: measure(points, num_center_components=2)))(together)
    assert np.all(result.status[0] == status.CENTER_REMOVED)
    assert np.all(np.isnan(result.capacity[0]))
    assert not np.any(result.status[1] & status.INVALID)
    with pytest.raises(ValueError, match="between 0 and 1"):
        geometry.layer_geometry(
            {"wide": on_axes(8), "narrow": on_axes(2)}, key=KEY, num_draws=20, num_center_components=2
        )


def test_what_took_a_centre_away_is_said():
    with pytest.warns(UserWarning, match="^classes 0, .*: the removal of shared directions took its whole centre away"):
        result = measure(on_axes(3), num_center_components=None, center_basis=np.eye(8)[:3])
    assert np.all(result.status == status.CENTER_REMOVED)
    assert np.all(np.isnan(result.capacity))
    assert np.all(result.retained_center_norm == 0)
    assert "the removal of shared directions took" in status.describe(status.CENTER_REMOVED)
    points = on_axes(8)
    points[0] += np.mean(points, axis=(0, 1)) - np.mean(points[0], axis=0)
    points[1:] -= np.mean(points[1:], axis=(0, 1)) - np.mean(points[0], axis=0)
    with pytest.warns(UserWarning, match="^class 0: its centre coincides with the mean"):
        result = measure(points, num_center_components=None)
    assert result.status.tolist() == [status.CENTER_VANISHED] + [0] * 9
    assert np.isnan(result.summary()["capacity"])
    assert "coincides with the mean" in status.describe(result.status[0])


def test_what_a_given_basis_leaves_is_what_there_was():
    """As at the published tool's own basis of `spheres`, which leaves one class less than 5 % of its centre."""
    points = on_axes(2)
    points[..., 2:] += 0.05 * on_axes(8)[..., 2:]
    result = measure(points, num_center_components=None, center_basis=np.eye(8)[:2])
    assert np.all(result.status == status.OK)
    np.testing.assert_allclose(result.retained_center_norm, 1, rtol=1e-5)


def test_all_zero_points_give_no_number():
    with pytest.warns(UserWarning, match="^classes 0, 1, 2, 3: its centre"):
        result = measure(np.zeros((4, 5, 6), np.float32))
    assert np.all(np.isnan(result.capacity))
    assert np.all(result.status == status.CENTER_VANISHED)


def test_integers_are_converted():
    points = np.random.default_rng(0).integers(0, 255, size=(4, 6, 10)).astype(np.uint8)
    np.testing.assert_allclose(measure(points).capacity, measure(points.astype(np.float32)).capacity)


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (np.zeros((3, 4)), {}, r"expected points \[manifolds, examples, features\], got shape \(3, 4\)"),
        (np.zeros((1, 4, 5)), {}, "expected at least 2 manifolds, got 1"),
        ([np.zeros((3, 4)), np.zeros((3, 5))], {}, r"expected a list of \[M_i, N\] arrays with the same N"),
        ([np.zeros((3, 4)), np.zeros((0, 4))], {}, "expected at least 1 example per manifold"),
        (cloud(), {"num_draws": 0}, "expected num_draws >= 1, got 0"),
        (cloud(), {"kappa": -1.0}, "expected kappa >= 0, got -1.0"),
        (cloud(), {"frame": "polar"}, "expected frame to be one of rank, qr, got 'polar'"),
        (cloud(), {"compat": "other"}, "expected compat to be None or 'mftma', got 'other'"),
        (cloud(), {"draws": np.zeros((5, 4))}, r"expected draws \[n, 9\] or \[6, n, 9\], got \(5, 4\)"),
        (cloud(), {"num_center_components": 5}, "expected num_center_components between 0 and 4"),
        (
            cloud(),
            {"num_center_components": None, "center_basis": np.zeros((2, 7))},
            r"expected center_basis \[K, 20\]",
        ),
    ],
)
def test_bad_input_is_named(points, options, message):
    with pytest.raises(ValueError, match=message):
        measure(points, **options)


def test_layers_must_show_the_same_examples():
    with pytest.raises(ValueError, match="expected the same manifolds and examples in every layer"):
        geometry.layer_geometry({"a": cloud(), "b": cloud(num_examples=7)}, key=KEY)
    with pytest.raises(ValueError, match="expected at least one layer"):
        geometry.layer_geometry({}, key=KEY)


@pytest.mark.slow
def test_capacity_around_a_forced_number_is_that_of_the_numbers_beside_it():
    found = measure(cloud(num_manifolds=8), num_center_components=2, vary_components=True)
    alone = [measure(cloud(num_manifolds=8), num_center_components=number) for number in (1, 2, 3)]
    varied = found.capacity_fewer_components, found.summary()["capacity"], found.capacity_more_components
    np.testing.assert_allclose(varied, [one.summary()["capacity"] for one in alone], rtol=1e-4)
    np.testing.assert_allclose(found.radius, alone[1].radius, rtol=1e-4)
    assert np.isnan(alone[1].capacity_fewer_components)
    assert np.isnan(alone[1].capacity_more_components)


def test_capacity_around_a_chosen_number_under_jit_and_by_layers():
    layers = {"plain": cloud(num_manifolds=8), "shared": cloud(num_manifolds=8) + 4 * np.eye(8, 20)[:, :1, None].mT}
    options = {"key": KEY, "num_draws": 60, "vary_components": True}
    found = jax.jit(lambda layers: geometry.layer_geometry(layers, **options))(layers)
    plain = geometry.layer_geometry(layers, **options | {"vary_components": False})
    np.testing.assert_array_equal(found.num_center_components, plain.num_center_components)
    np.testing.assert_allclose(found.capacity, plain.capacity, rtol=1e-3)
    for name in layers:
        there = int(found[name].num_center_components) > 0
        assert np.isfinite(found[name].capacity_fewer_components) == there
        assert np.isfinite(found[name].capacity_more_components)


def test_around_a_given_basis_there_is_nothing_to_vary():
    found = measure(cloud(), num_center_components=None, center_basis=np.eye(20)[:1], vary_components=True)
    assert np.isnan(found.capacity_fewer_components)
    assert np.isnan(found.capacity_more_components)
