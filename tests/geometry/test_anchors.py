import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from memorize_jax import geometry
from tests.oracles import anchors as oracle
from tests.oracles import reference


def random_frame(seed, num_points=15, num_directions=10, num_draws=30):
    rng = np.random.default_rng(seed)
    frame = np.concatenate([0.7 * rng.normal(size=(num_points, num_directions)), np.ones((num_points, 1))], axis=1)
    return frame, rng.normal(size=(num_draws, num_directions + 1))


@pytest.mark.parametrize("name", reference.ONE_QUICKLY)
@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
def test_matches_the_published_tool(name, double):
    stored = reference.arrays()
    for number in (0, 1):
        frame, draws = (stored[f"{name}/solver{number}/{part}"].T for part in ("points", "t"))
        for kappa in (0.0, 0.3):
            with jax.enable_x64(double):
                given = (frame, draws) if double else (frame.astype(np.float32), draws.astype(np.float32))
                found = geometry.solve_anchors(*given, kappa=kappa)
                three = geometry.capacity_radius_dimension(*given, kappa=kappa)
            expected = stored[f"{name}/solver{number}/v_kappa{kappa}"].T
            np.testing.assert_allclose(found.v, expected, atol=1e-5 if double else 1e-3)
            expected = stored[f"{name}/solver{number}/crd_kappa{kappa}"]
            np.testing.assert_allclose(three, expected, rtol=1e-5 if double else 1e-3)
            assert double or found.kkt_residual.max() < 1e-4


@pytest.mark.parametrize("kappa", [0.0, 0.5])
def test_statistics_match_the_oracle_solutions_are_feasible_and_anchors_in_the_convex_hull(x64, kappa):
    frame, draws = random_frame(0)
    found = geometry.capacity_radius_dimension(frame, draws, kappa=kappa)
    np.testing.assert_allclose(found, oracle.capacity_radius_dimension(frame, draws, kappa), rtol=1e-6)
    found = geometry.solve_anchors(frame, draws, kappa=kappa)
    assert np.max(found.v @ frame.T) <= -kappa + 1e-7
    np.testing.assert_allclose(found.anchors[:, -1], 1)
    assert np.all(found.multipliers >= 0)


def test_interior_draw_keeps_its_place_and_its_nearest_example(x64):
    frame, draws = random_frame(0)
    draws[0] = [1, *[0] * 9, -50]
    found = geometry.solve_anchors(frame, draws)
    np.testing.assert_array_equal(found.v[0], draws[0])
    np.testing.assert_array_equal(found.anchors[0], frame[np.argmax(frame @ draws[0])])
    assert found.multipliers[0].sum() == 0


DRAWS = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32)


@pytest.mark.parametrize("kappa", [0.0, 0.5, 1.0])
def test_isolated_point_has_the_perceptron_capacity_and_a_segment_one_dimension(kappa):
    """Gardner: 1/alpha = int_{-kappa}^inf Dt (t + kappa)^2, which is 1/2 at kappa = 0; a row of zeros is no example."""
    frame = np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)
    capacity, radius, dimension = geometry.capacity_radius_dimension(frame, DRAWS, kappa=kappa)
    expected = 1 / ((1 + kappa**2) * norm.cdf(kappa) + kappa * norm.pdf(kappa))
    np.testing.assert_allclose(capacity, expected, rtol=0.01)
    assert (radius, dimension) == (0, 0)
    segment = np.array([[1.0, 1.0], [-1.0, 1.0]], np.float32)
    assert kappa or abs(geometry.capacity_radius_dimension(segment, DRAWS, kappa=kappa)[2] - 1) < 0.05


def test_standard_error_is_that_of_repeated_measurement():
    frame, _ = random_frame(3, num_draws=1)
    rng = np.random.default_rng(4)
    runs = [geometry.anchor_statistics(np.float32(frame), np.float32(rng.normal(size=(200, 11)))) for _ in range(40)]
    spread = np.std([run.capacity for run in runs], ddof=1)
    stated = np.mean([run.capacity_standard_error for run in runs])
    assert 0.7 < stated / spread < 1.4


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_is_read_as_float32(dtype):
    frame, draws = (jnp.asarray(values, dtype) for values in random_frame(2))
    wide = frame.astype(jnp.float32), draws.astype(jnp.float32)
    np.testing.assert_array_equal(geometry.solve_anchors(frame, draws).v, geometry.solve_anchors(*wide).v)
    np.testing.assert_array_equal(
        geometry.capacity_radius_dimension(frame, draws), geometry.capacity_radius_dimension(*wide)
    )


def test_shapes_that_do_not_match_are_named():
    message = r"expected frame \[M, D\+1\] and draws \[n, D\+1\].*got \(3, 4\) and \(2, 5\)"
    for function in (geometry.solve_anchors, geometry.anchor_statistics):
        with pytest.raises(ValueError, match=message):
            function(jnp.ones((3, 4)), jnp.ones((2, 5)))
