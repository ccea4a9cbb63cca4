"""Joint geometry against non-negative least squares draw by draw, known limits, invariances and simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.geometry import status
from tests.oracles import joint as oracle

KEY = jax.random.key(0)


def balanced(num_draws, num_manifolds, seed=0):
    rng = np.random.default_rng(seed)
    half = np.arange(num_manifolds) < num_manifolds // 2
    return np.where([rng.permutation(half) for _ in range(num_draws)], 1, -1)


def small(seed=1, counts=(12, 12, 12, 12, 12, 12)):
    points = oracle.spheres(len(counts), max(counts), 90, 5, 1.2, seed=seed, correlation=0.3)
    return [own[:count] for own, count in zip(points, counts, strict=True)]


@pytest.mark.parametrize("counts", [(12,) * 6, (12, 5, 9, 12, 3, 7)])
def test_agrees_with_nonnegative_least_squares_draw_by_draw(x64, counts):
    points, labels = small(counts=counts), balanced(20, 6)
    flat = np.concatenate(points)
    origin = flat.mean(axis=0)
    draws = np.random.default_rng(2).standard_normal((20, 6, 12))
    used = np.concatenate([draws[:, mu, :count] for mu, count in enumerate(counts)], axis=1)
    vectors = oracle.gaussian_vectors(flat - origin, used)
    expected = oracle.joint_geometry([own - origin for own in points], labels, vectors)
    found = geometry.joint_geometry(points, key=KEY, draws=draws.reshape(20, -1), dichotomies=labels)
    assert float(found.capacity) == pytest.approx(expected["capacity"], rel=1e-6)
    np.testing.assert_allclose(found.class_capacity, 1 / expected["shares"].mean(axis=0), rtol=1e-5)
    for name in ("radius", "dimension", "utility"):
        assert float(getattr(found, name)) == pytest.approx(expected[name], rel=1e-5), name
    error = expected["squares"].std(ddof=1) / np.sqrt(20) / expected["squares"].mean()
    assert float(found.capacity_standard_error / found.capacity) == pytest.approx(error, rel=1e-6)
    assert found.num_examples.tolist() == list(counts)


def test_single_precision_is_exact_enough():
    points, labels = np.float32(small()), balanced(50, 6)
    flat = points.reshape(-1, 90).astype(float)
    draws = np.random.default_rng(2).standard_normal((50, 72))
    vectors = oracle.gaussian_vectors(flat - flat.mean(axis=0), draws)
    expected = oracle.joint_geometry(list(points - flat.mean(axis=0)), labels, vectors)
    found = geometry.joint_geometry(points, key=KEY, draws=draws, dichotomies=labels)
    # The weak directions of these points, a thousandth of the others, turn a little: another draw of the same law.
    assert float(found.capacity) == pytest.approx(expected["capacity"], rel=1e-4)
    assert float(found.radius) == pytest.approx(expected["radius"], rel=1e-2)
    assert float(found.dimension) == pytest.approx(expected["dimension"], rel=1e-2)


def test_capacity_is_utility_radius_and_dimension():
    found = geometry.joint_geometry(small(), key=KEY)
    product = found.utility * (1 + found.radius**-2) / found.dimension
    assert float(product / found.capacity) == pytest.approx(1, abs=1e-6)
    assert float(1 / jnp.mean(1 / found.class_capacity) / found.capacity) == pytest.approx(1, abs=1e-5)


def test_points_have_the_capacity_of_cover():
    points = np.random.default_rng(0).standard_normal((8, 1, 200))
    found = geometry.joint_geometry(points, key=KEY, center="none", num_draws=400)
    assert float(found.capacity) == pytest.approx(2, abs=0.2)
    assert float(found.active_fraction) == pytest.approx(0.5, abs=0.05)
    assert int(found.status) == 0


@pytest.mark.parametrize(("half_length", "capacity"), [(0.1, 1.76), (0.3, 1.47), (0.6, 1.18), (1.0, 1.00)])
def test_segments(half_length, capacity):
    rng = np.random.default_rng(0)
    center, axis = (rng.standard_normal((40, 1, 400)) / 20 for _ in range(2))
    points = np.concatenate([center - half_length * axis, center + half_length * axis], axis=1)
    found = geometry.joint_geometry(points, key=KEY, center="none", num_draws=400)
    assert float(found.capacity) == pytest.approx(capacity, rel=0.05)


@pytest.mark.parametrize(
    ("dimension", "radius", "correlation", "name", "expected"),
    [
        (2, 1.0, 0.0, "dimension", 2.25),
        (4, 1.0, 0.0, "dimension", 4.02),
        (10, 1.0, 0.0, "dimension", 8.21),
        (4, 0.8, 0.0, "radius", 0.874),
        (4, 2.0, 0.0, "radius", 1.764),
        (4, 1.0, 0.8, "center_alignment", 0.809),
    ],
)
def test_recovers_what_the_generator_put_in(dimension, radius, correlation, name, expected):
    # Expected: the mean of a published sheet and of independent code for these generators.
    found = [
        geometry.joint_geometry(
            oracle.spheres(2, 200, 1000, dimension, radius, seed=seed, correlation=correlation),
            key=jax.random.key(seed),
            center="none",
        )
        for seed in range(3)
    ]
    assert np.mean([getattr(one, name) for one in found]) == pytest.approx(expected, rel=0.05)


def test_invariances():
    points = np.float32(small())
    base = geometry.joint_geometry(points, key=KEY)
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((90, 90)))[0]
    changed = {
        "padding": np.pad(points, ((0, 0), (0, 0), (0, 40))),
        "rotation": points @ rotation,
        "scale": 1e-5 * points,
        "translation": points + 3,
    }
    for name, other in changed.items():
        found = geometry.joint_geometry(np.float32(other), key=KEY)
        assert float(found.capacity) == pytest.approx(float(base.capacity), rel=1e-3), name
        assert float(found.radius) == pytest.approx(float(base.radius), rel=1e-2), name
    reordered = geometry.joint_geometry(points[::-1], key=KEY)
    error = np.hypot(base.capacity_standard_error, reordered.capacity_standard_error)
    assert abs(float(reordered.capacity - base.capacity)) < 4 * error


def test_scale_of_single_points_does_not_move_the_capacity():
    points = np.float32(small())
    longer = points * np.random.default_rng(0).uniform(0.5, 2, (6, 12, 1))
    found = [geometry.joint_geometry(np.float32(own), key=KEY, center="none").capacity for own in (points, longer)]
    assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-4)


def test_margin_lowers_the_capacity_and_scales_with_the_points():
    points = np.float32(small())
    plain, with_margin, scaled = (
        geometry.joint_geometry(own, key=KEY, kappa=kappa)
        for own, kappa in ((points, 0), (points, 0.5), (7 * points, 0.5))
    )
    assert float(with_margin.capacity) < float(plain.capacity)
    assert float(scaled.capacity) == pytest.approx(float(with_margin.capacity), rel=1e-4)


def test_agrees_with_simulation():
    points = oracle.spheres(10, 30, 200, 6, 1.0, correlation=0.5)
    found = geometry.joint_geometry(points, key=KEY, num_draws=400)
    simulated = geometry.simulated_capacity(points, key=KEY, num_dichotomies=150)
    error = np.hypot(found.capacity_standard_error, simulated.standard_error)
    assert abs(float(found.capacity) - simulated.capacity) < 2.5 * error


@pytest.mark.parametrize("classes_per_draw", [None, 4])
def test_standard_error_is_calibrated(classes_per_draw):
    points = np.float32(oracle.spheres(8, 20, 100, 4, 1.0, correlation=0.4))
    measure = jax.jit(
        lambda key: geometry.joint_geometry(points, key=key, num_draws=60, classes_per_draw=classes_per_draw)
    )
    found = [measure(jax.random.key(seed)) for seed in range(240)]
    spread = np.std([one.capacity for one in found], ddof=1)
    claimed = np.mean([one.capacity_standard_error for one in found])
    assert spread == pytest.approx(claimed, rel=0.25)


def test_gradient_is_that_of_finite_differences(x64):
    points = np.array(small())
    direction = np.random.default_rng(3).standard_normal(points.shape) / 10

    def capacity(step, **options):
        return geometry.joint_geometry(points + step * direction, key=KEY, num_draws=20, **options).capacity

    for options in ({"classes_per_draw": 4}, {"center": "none", "kappa": 0.4}):
        exact = jax.grad(lambda step, options=options: capacity(step, **options))(0.0)
        numeric = (capacity(1e-6, **options) - capacity(-1e-6, **options)) / 2e-6
        assert float(exact) == pytest.approx(float(numeric), rel=1e-4), options


def test_gradient_can_train():
    points = jnp.asarray(small(), jnp.float32)
    step = jax.jit(jax.value_and_grad(lambda x: geometry.joint_geometry(x, key=KEY, num_draws=30).capacity))
    first, slope = step(points)
    second, _ = step(points + 0.05 * slope / jnp.max(jnp.abs(slope)))
    assert float(second) > float(first)


def test_layers_jit_and_vmap_agree_with_one_by_one():
    layers = {"wide": np.float32(small(1)), "narrow": np.float32(small(2))[..., :40]}
    together = geometry.layer_joint_geometry(layers, key=KEY, num_draws=30)
    assert together.layers == ("wide", "narrow")
    one = jax.jit(lambda x: geometry.joint_geometry(x, key=KEY, num_draws=30))
    for name, points in layers.items():
        for field in ("capacity", "radius", "class_capacity"):
            np.testing.assert_allclose(getattr(together[name], field), getattr(one(points), field), rtol=2e-4)
    batch = jnp.asarray([small(1), small(2)], jnp.float32)
    mapped = jax.vmap(lambda x: geometry.joint_geometry(x, key=KEY, num_draws=30).capacity)(batch)
    np.testing.assert_allclose(mapped, [one(points).capacity for points in batch], rtol=1e-4)


def test_chunks_change_nothing():
    points = np.float32(small())
    whole, parts = (geometry.joint_geometry(points, key=KEY, num_draws=30, chunk=chunk) for chunk in (None, 7))
    for field in ("capacity", "radius", "dimension", "utility", "center_alignment", "axis_alignment_raw"):
        np.testing.assert_allclose(getattr(whole, field), getattr(parts, field), rtol=1e-4, err_msg=field)


def test_subsets_of_classes_measure_the_same():
    points = np.float32(oracle.spheres(12, 20, 300, 4, 1.0))
    whole = geometry.joint_geometry(points, key=KEY)
    parts = geometry.joint_geometry(points, key=KEY, classes_per_draw=5)
    assert int(parts.classes_per_draw) == 5
    assert np.isfinite(parts.class_capacity).all()
    error = np.hypot(whole.capacity_standard_error, parts.capacity_standard_error)
    assert abs(float(whole.capacity - parts.capacity)) < 4 * error


def test_fewer_classes_are_drawn_where_the_rank_is_low():
    points = np.float32(np.random.default_rng(0).standard_normal((10, 20, 40)))
    found = geometry.joint_geometry(points, key=KEY)
    assert 2 <= int(found.classes_per_draw) <= 3
    assert int(found.rank) == 40
    assert int(found.status) == 0
    assert float(found.capacity) == pytest.approx(2 / 20, rel=0.05)
    with pytest.warns(UserWarning, match="only an upper bound"):
        narrow = geometry.joint_geometry(points[..., :10], key=KEY)
    assert int(narrow.classes_per_draw) == 2
    # Two classes have n* = 20 in general position.
    assert float(narrow.capacity) > 0.15


def test_one_against_the_rest():
    points, num = np.float32(small()), 60
    labels = np.where(np.eye(6), 1, -1)
    named = geometry.joint_geometry(points, key=KEY, dichotomies="one_vs_rest", num_draws=num)
    given = geometry.joint_geometry(points, key=KEY, dichotomies=labels, num_draws=num)
    assert float(named.capacity) == pytest.approx(float(given.capacity), rel=1e-5)


def test_bad_points():
    points = np.float32(small())
    points[2, 3, 4] = np.nan
    with pytest.raises(ValueError, match="expected finite points"):
        geometry.joint_geometry(points, key=KEY)
    found = jax.jit(lambda x: geometry.joint_geometry(x, key=KEY, num_draws=4))(points)
    assert np.isnan(found.capacity)
    assert int(found.status) == status.NOT_FINITE
    with pytest.warns(UserWarning, match="coincide"):
        same = geometry.joint_geometry(np.ones((4, 5, 6)), key=KEY)
    assert np.isnan(same.capacity)
    assert np.isnan(same.radius)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_draws": 1}, "expected num_draws >= 2, got 1"),
        ({"chunk": 0}, "expected chunk >= 1, got 0"),
        ({"kappa": -1.0}, "expected kappa >= 0, got -1.0"),
        ({"center": "mean"}, "expected center to be one of all, none, got 'mean'"),
        ({"dichotomies": "all"}, "expected dichotomies to be one of balanced, one_vs_rest or an array, got 'all'"),
        ({"dichotomies": np.ones((3, 5))}, r"expected dichotomies \[n, 6\], got \(3, 5\)"),
        ({"dichotomies": np.zeros((3, 6))}, "expected dichotomies of -1 and 1"),
        ({"classes_per_draw": 7}, "expected classes_per_draw between 2 and 6, got 7"),
        ({"classes_per_draw": 3, "dichotomies": np.ones((3, 6))}, "expected classes_per_draw 6, or none"),
        ({"draws": np.zeros((4, 7))}, r"expected draws \[n, 72\], got \(4, 7\)"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        geometry.joint_geometry(small(), key=KEY, **options)


def test_streamed_is_the_same():
    inputs = np.float32(small())
    weights = np.random.default_rng(0).standard_normal((90, 50)).astype(np.float32)
    layers_of = lambda own: {"input": own, "hidden": jnp.maximum(own @ weights, 0)}
    options = {"num_draws": 30, "classes_per_draw": 4}

    @jax.jit
    def streamed(inputs):
        return geometry.streamed_geometries(layers_of, inputs, manifolds_at_a_time=2, key=KEY, joint=options)[1]

    held = {name: value.reshape(6, 12, -1) for name, value in layers_of(inputs.reshape(72, 90)).items()}
    expected, found = geometry.layer_joint_geometry(held, key=KEY, **options), streamed(inputs)
    assert found.layers == ("input", "hidden")
    for field in ("capacity", "class_capacity", "radius", "dimension", "rank"):
        np.testing.assert_allclose(getattr(found, field), getattr(expected, field), rtol=1e-3, err_msg=field)


@pytest.mark.parametrize("center", ["all", "none"])
def test_features_of_very_different_size_are_solved_exactly(x64, center):
    # As a table of measurements has them: splitting alone was wrong by 3 to 40 % and said nothing.
    rng = np.random.default_rng(4)
    size = np.geomspace(300, 0.1, 16)
    points = size * (3 + rng.standard_normal((3, 1, 16)) + rng.standard_normal((3, 15, 16)))
    labels, draws = balanced(12, 3), rng.standard_normal((12, 45))
    flat = points.reshape(-1, 16)
    origin = flat.mean(axis=0) if center == "all" else 0
    vectors = oracle.gaussian_vectors(flat - origin, draws)
    expected = oracle.joint_geometry(list(points - origin), labels, vectors)
    found = geometry.joint_geometry(points, key=KEY, draws=draws, dichotomies=labels, center=center)
    assert float(found.capacity) == pytest.approx(expected["capacity"], rel=1e-6)
    assert float(found.kkt_residual) < 1e-7


def test_standard_error_knows_the_choice_of_classes():
    # Three pairs of classes that nearly coincide: whether a draw holds both of a pair matters more than its vector.
    rng = np.random.default_rng(0)
    points = np.float32(np.repeat(rng.standard_normal((3, 1, 60)), 2, axis=0) + 0.3 * rng.standard_normal((6, 5, 60)))
    measure = jax.jit(lambda key: geometry.joint_geometry(points, key=key, num_draws=60, classes_per_draw=2))
    found = [measure(jax.random.key(seed)) for seed in range(240)]
    spread = np.std([one.capacity for one in found], ddof=1)
    claimed = np.sqrt(np.mean([one.capacity_standard_error**2 for one in found]))
    assert spread == pytest.approx(claimed, rel=0.25)
