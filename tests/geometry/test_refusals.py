"""What measurements of manifolds refuse: outside jit by a message, inside by a status."""

import functools

import jax
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.geometry import status
from tests.geometry.shared import KEY, OPTIONS, POINTS, measure


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_draws": 0}, "expected num_draws >= 1, got 0"),
        ({"chunk": 0}, "expected chunk >= 1, got 0"),
        ({"frame": "polar"}, "expected frame to be one of rank, qr, got 'polar'"),
        ({"compat": "other"}, "expected compat to be None or 'mftma', got 'other'"),
        ({"solver": "simplex"}, "expected solver to be one of active_set, admm, box_cdqp, host, got 'simplex'"),
        ({"draws": np.zeros((5, 4))}, r"expected draws \[n, 7\] or \[4, n, 7\], got \(5, 4\)"),
        ({"num_center_components": 3}, "expected num_center_components between 0 and 2"),
        ({"center_basis": np.zeros((2, 8))}, "expected either center_basis or num_center_components, got both"),
        ({"num_center_components": None, "center_basis": np.eye(7)[:2]}, r"expected center_basis \[K, 8\]"),
        ({"num_center_components": None, "center_basis": np.zeros(8)}, r"expected center_basis \[K, N\] or \[N, K\]"),
        ({"num_center_components": None, "center_basis": 2 * np.eye(8)[:2]}, "expected orthonormal directions"),
        ({"num_center_components": None, "center_basis": np.eye(8)[[0, 0]]}, "expected orthonormal directions"),
        ({"tol": -1.0}, "expected tol > 0, got -1.0"),
        ({"maxiter": 0}, "expected maxiter >= 1, got 0"),
        ({"draws": np.full((5, 7), np.nan)}, "expected finite draws, got others"),
        ({"draws": np.zeros((0, 7))}, r"expected one row of draws or more, got \[0, 7\]"),
        ({"draws": np.ones((5, 7), complex)}, "expected real numbers as draws, got complex128"),
        ({"draws": np.zeros((3, 5, 7))}, r"expected draws \[n, 7\] or \[4, n, 7\], got \(3, 5, 7\)"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        measure(POINTS, **options)


def test_inside_jit_wrong_options_are_a_status():
    """A margin below 0, or directions of another length, would give numbers that look like any others."""
    by_margin = jax.jit(lambda kappa: measure(POINTS, kappa=kappa))
    options = {"num_center_components": None}
    by_basis = jax.jit(lambda basis: measure(POINTS, center_basis=basis, **options))
    right, wrong = np.eye(8)[:2], (2 * np.eye(8)[:2], np.full((2, 8), np.nan), np.eye(8)[[0, 0]])
    found = [by_margin(-1.0), by_margin(np.nan), *map(by_basis, wrong)]
    for result in found:
        assert np.all(result.status == status.WRONG_OPTION)
        assert np.isnan([result.capacity, result.radius, result.dimension]).all()
    assert all(np.isnan([own.residual_correlation, own.center_cost]).all() for own in found[2:])
    by_draws = jax.jit(lambda draws: measure(POINTS, draws=draws))(np.zeros((5, 7)))
    assert np.all(by_draws.status == status.WRONG_OPTION)
    for result in (by_margin(0.1), by_basis(right), by_basis(np.eye(8)[[0, 1, 2]] * [[1], [1], [0]])):
        assert not np.any(result.status & status.INVALID)


def test_streamed_layers_are_read_like_others():
    run = functools.partial(geometry.streamed_geometries, key=KEY, manifolds_at_a_time=2)
    wrong = {
        r"expected points \[6, features\] of layer 'a', got shape \[6, 2, 4\]": lambda x: {"a": x.reshape(6, 2, 4)},
        "expected layers by name, .* from layers_of, got none": lambda x: {},
        "expected layers by name, .* from layers_of, got ArrayImpl": lambda x: x,
    }
    for message, layers_of in wrong.items():
        with pytest.raises(ValueError, match=message):
            run(layers_of, POINTS)
    with pytest.raises(ValueError, match="expected manifolds_at_a_time >= 1, got 0"):
        run(lambda x: {"a": x}, POINTS, manifolds_at_a_time=0)


def test_layers_must_show_the_same_examples():
    sizes = [[6, 6, 4, 6], [6, 4, 6, 6]]
    unequal = {str(size): [one[:n] for one, n in zip(POINTS, size, strict=True)] for size in sizes}
    for layers in ({"a": POINTS, "b": POINTS[:, :5]}, unequal):
        with pytest.raises(ValueError, match="expected the same manifolds and examples in every layer"):
            geometry.layer_geometry(layers, **OPTIONS)
        with pytest.raises(ValueError, match="expected the same manifolds and examples in every layer"):
            geometry.layer_participation(layers)
    with pytest.raises(ValueError, match="expected at least one layer"):
        geometry.layer_participation({})
    for call in (geometry.layer_geometry, geometry.layer_joint_geometry):
        with pytest.raises(ValueError, match="expected at least one layer"):
            call({}, key=KEY)
