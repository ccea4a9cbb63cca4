import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.geometry.qp.callback import is_available
from memorize_jax.geometry.qp.solve import ON_DEVICE, SOLVERS, kkt_residual, nonnegative_qp
from tests.oracles.anchors import project

THERE = sorted(SOLVERS if is_available() else ON_DEVICE)


def program(seed, num_points, num_directions, num_draws=20):
    rng = np.random.default_rng(seed)
    frame = np.concatenate([rng.normal(size=(num_points, num_directions)), np.ones((num_points, 1))], axis=1)
    return frame, rng.normal(size=(num_draws, num_directions + 1))


SHAPES = [(20, 8), (12, 20), (2, 1), (1, 3)]
QUICK = {("active_set", shape) for shape in (*SHAPES[:2], (1, 3))} | {(solver, (20, 8)) for solver in SOLVERS}


@pytest.mark.parametrize(
    ("solver", "shape"),
    [
        pytest.param(solver, shape, marks=() if (solver, shape) in QUICK else pytest.mark.slow)
        for solver in THERE
        for shape in SHAPES
    ],
)
@pytest.mark.parametrize("kappa", [0.0, 0.4])
def test_equals_scipy_nnls(x64, solver, shape, kappa):
    frame, draws = program(0, *shape)
    found = nonnegative_qp(jnp.asarray(frame @ frame.T), jnp.asarray(draws @ frame.T + kappa), solver=solver)
    expected = [project(frame, draw, kappa)[0] for draw in draws]
    np.testing.assert_allclose(draws - found.multipliers @ frame, expected, atol=1e-6)
    assert found.residual.max() < 1e-7


def single(seed):
    """One shape for all that is about float32."""
    frame, draws = program(seed, 30, 40)
    return frame, draws, jnp.asarray(frame @ frame.T, jnp.float32), jnp.asarray(draws @ frame.T, jnp.float32)


@pytest.mark.parametrize("solver", THERE)
def test_float32_agrees_with_float64(solver):
    frame, draws, gram, linear = single(1)
    found = nonnegative_qp(gram, linear, solver=solver)
    expected = [project(frame, draw)[0] for draw in draws]
    np.testing.assert_allclose(draws - found.multipliers @ frame, expected, atol=1e-3)
    assert found.residual.max() < 1e-4


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_of_the_linear_term_is_that_of_the_solution(scale):
    frame, _, gram, linear = single(1)
    scaled, plain = (nonnegative_qp(gram, own).multipliers @ frame for own in (linear * scale, linear))
    np.testing.assert_allclose(scaled, plain * scale, atol=1e-3 * scale)


def test_vmap_changes_nothing_and_nan_stays_nan():
    frame, _, gram, linear = single(1)
    eager = nonnegative_qp(gram, linear).multipliers @ frame
    stacked = jax.vmap(nonnegative_qp)(jnp.stack([gram, gram * 2]), jnp.stack([linear, linear]))
    np.testing.assert_allclose(stacked.multipliers[0] @ frame, eager, atol=1e-3)
    np.testing.assert_allclose(stacked.multipliers[1] @ frame, eager / 2, atol=1e-3)
    assert not jnp.any(jnp.isfinite(nonnegative_qp(gram * jnp.nan, linear).residual))


def test_absent_points_get_no_weight_and_change_nothing_and_the_residual_is_zero_only_at_the_solution(x64):
    frame, draws = program(3, 16, 8)
    padded = np.concatenate([frame, np.zeros((4, 9))])
    gram, linear = jnp.asarray(padded @ padded.T), jnp.asarray(draws @ padded.T)
    found = nonnegative_qp(gram, linear).multipliers
    np.testing.assert_array_equal(found[:, 16:], 0)
    expected = [project(frame, draw)[0] for draw in draws]
    np.testing.assert_allclose(draws - found @ padded, expected, atol=1e-6)
    assert kkt_residual(gram, linear, found).max() < 1e-7
    assert kkt_residual(gram, linear, found + 0.1 * (jnp.arange(20) < 16)).min() > 1e-3


@pytest.mark.parametrize("solver", THERE)
def test_half_precision_is_solved_in_float32(solver):
    frame, draws = program(0, 20, 8)
    half = [jnp.asarray(values, jnp.bfloat16) for values in (frame @ frame.T + np.eye(20), draws @ frame.T)]
    found = nonnegative_qp(*half, solver=solver)
    assert found.multipliers.dtype == jnp.float32
    expected = nonnegative_qp(*[values.astype(jnp.float32) for values in half], solver=solver)
    np.testing.assert_array_equal(found.multipliers, expected.multipliers)
