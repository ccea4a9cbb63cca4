"""Directions that inner products in float32 cannot tell from rounding: said, where float64 has another capacity."""

import jax
import numpy as np
import pytest

from memorize_jax.geometry import joint_geometry, streamed_geometries
from memorize_jax.geometry.status import OK, ROUNDED, describe
from memorize_jax.own_activations.coordinates import alike
from tests.oracles import joint as oracle

KEY = jax.random.key(0)
NUM_MANIFOLDS, NUM_EXAMPLES, NUM_FEATURES = 10, 10, 100
RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(NUM_MANIFOLDS, 1, NUM_FEATURES))
POINTS = POINTS + RNG.normal(size=(NUM_MANIFOLDS, NUM_EXAMPLES, NUM_FEATURES))
ROTATION = np.linalg.qr(RNG.normal(size=(NUM_FEATURES, NUM_FEATURES)))[0]
# The same draws and labels in either precision, which would sample others.
HALVES = [np.random.default_rng(seed).permutation(np.repeat([-1, 1], NUM_MANIFOLDS // 2)) for seed in range(60)]
DRAWS = RNG.normal(size=(60, NUM_MANIFOLDS * NUM_EXAMPLES))


def measure(points, double=False, kappa=0):
    """Status and capacity."""
    with jax.enable_x64(double):
        points = points if double else np.float32(points)
        found = joint_geometry(points, key=KEY, kappa=kappa, draws=DRAWS, dichotomies=np.stack(HALVES))
        return int(found.status), float(found.capacity)


def sizes(number, size):
    """So many of the features larger than the others."""
    return np.where(np.arange(NUM_FEATURES) < number, size, 1.0)


# With noise of a thousandth around them.
SPHERES = oracle.spheres(NUM_MANIFOLDS, NUM_EXAMPLES, NUM_FEATURES, 5, 1.2, seed=1, correlation=0.3)


def over_float64(points, capacity):
    status, exact = measure(points, double=True)
    assert status == OK
    return capacity / exact


@pytest.mark.parametrize("number", [1, 10])
@pytest.mark.parametrize("size", [1, 30, 100])
def test_what_float32_resolves_needs_no_status(number, size):
    points = POINTS * sizes(number, size)
    status, capacity = measure(points)
    assert status == OK
    assert over_float64(points, capacity) == pytest.approx(1, abs=0.03)


@pytest.mark.filterwarnings("ignore:.*lost in rounding")
@pytest.mark.parametrize(("number", "size"), [(1, 1000), (1, 3000), (1, 10_000), (10, 1000), (10, 3000)])
def test_features_that_are_lost_beside_others_are_a_status(number, size):
    points = POINTS * sizes(number, size)
    status, capacity = measure(points)
    assert status & ROUNDED
    assert over_float64(points, capacity) > 1.05


@pytest.mark.filterwarnings("ignore:.*lost in rounding")
@pytest.mark.parametrize("size", [1000, 3000, 10_000])
def test_lost_directions_that_are_no_features_are_a_status_too(size):
    points = POINTS * sizes(1, size) @ ROTATION
    status, capacity = measure(points)
    assert status & ROUNDED
    assert over_float64(points, capacity) > 1.05


def test_the_status_is_a_warning_that_says_what_to_do_and_the_number_stays():
    with pytest.warns(UserWarning, match="may be too high: .*standardize its features, or set JAX_ENABLE_X64=1"):
        found = joint_geometry(np.float32(POINTS * sizes(1, 3000)), key=KEY, num_draws=20)
    assert np.isfinite(found.capacity)
    assert describe(found.status) == found.problems()[0]


def test_standardized_features_have_none():
    points = POINTS * sizes(10, 3000)
    assert measure(points / points.std(axis=(0, 1)))[0] == OK


@pytest.mark.parametrize(("points", "kappa"), [(SPHERES, 0), (SPHERES, 0.1), (POINTS * sizes(40, 1000), 0)])
def test_hidden_directions_that_no_projection_takes_need_no_status(points, kappa):
    status, capacity = measure(points, kappa=kappa)
    assert status == OK
    assert capacity == pytest.approx(measure(points, double=True, kappa=kappa)[1], rel=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_points_in_few_dimensions_lack_none(dtype):
    rank = 8
    points = (POINTS[..., :rank] @ RNG.normal(size=(rank, 3 * NUM_FEATURES))).astype(dtype)
    for given in (points, np.stack(alike({"layer": list(points)})["layer"])):
        found = joint_geometry(given, key=KEY, num_draws=20)
        assert (int(found.status), int(found.rank)) == (OK, rank)


def test_features_that_are_constant_but_for_their_own_rounding_count_for_nothing():
    constant = np.float32(3) * (1 + np.float32(1e-7) * RNG.integers(0, 2, size=(*POINTS.shape[:2], 50)))
    found = joint_geometry(np.concatenate([np.float32(POINTS[..., :40]), np.float32(constant)], axis=2), key=KEY)
    assert int(found.status) == OK


@pytest.mark.filterwarnings("ignore:.*lost in rounding")
def test_inside_jit_and_streamed_it_is_the_same_status():
    points = np.stack([POINTS, POINTS * sizes(1, 3000)]).astype(np.float32)
    one = jax.jit(lambda own: joint_geometry(own, key=KEY, num_draws=20).status)
    assert [int(one(own)) for own in points] == [OK, ROUNDED]
    assert jax.vmap(one)(points).tolist() == [OK, ROUNDED]

    @jax.jit
    def streamed(inputs):
        layers_of = lambda own: {"even": own, "uneven": own * np.float32(sizes(1, 3000))}
        options = {"manifolds_at_a_time": 2, "key": KEY, "num_draws": 5, "joint": {"num_draws": 20}}
        return streamed_geometries(layers_of, inputs, **options)[1].status

    assert streamed(points[0]).tolist() == [OK, ROUNDED]
