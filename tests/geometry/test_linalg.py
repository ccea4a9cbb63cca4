"""Eigenvectors and orthonormal columns without batches of LAPACK calls."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.geometry.eigen import symmetric_eigen, symmetric_eigen_on_host
from memorize_jax.geometry.orthonormal import orthonormal_columns

POINTS = jax.random.normal(jax.random.key(0), (3, 4, 6, 10))


def batched_calls(function, *args):
    """LAPACK calls of a function on more than one matrix at a time."""
    text = jax.jit(function).lower(*args).as_text()
    calls = re.findall(r"custom_call @(lapack_\w+)\(.*: \(tensor<([\dx]+)xf32>", text)
    assert calls
    return [name for name, shape in calls if math.prod(int(size) for size in shape.split("x")[:-2]) > 1]


def capacity(points, **options):
    return geometry.manifold_geometry(points, key=jax.random.key(0), num_draws=5, **options).capacity


def test_eigenvectors_are_those_of_numpy():
    matrices = np.array(jnp.einsum("pij,pkj->pik", POINTS[0], POINTS[0]))
    values, vectors = jax.vmap(symmetric_eigen)(matrices)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrices), rtol=1e-4)
    np.testing.assert_allclose(np.einsum("pij,pj,pkj->pik", vectors, values, vectors), matrices, atol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_eigenvectors_on_the_host_are_the_same_to_the_last_bit(x64, dtype):
    matrices = jnp.einsum("lpij,lpkj->lpik", POINTS, POINTS).astype(dtype)
    for together in (jax.vmap(jax.vmap(symmetric_eigen_on_host)), jax.jit(jax.vmap(jax.vmap(symmetric_eigen_on_host)))):
        for found, expected in zip(together(matrices), jax.vmap(jax.vmap(symmetric_eigen))(matrices), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_eigenvectors_on_the_host_of_what_is_not_finite_are_nan_and_others_are_there():
    matrices = jnp.stack([jnp.eye(6), jnp.eye(6).at[0, 3].set(jnp.nan), jnp.eye(6).at[2, 2].set(jnp.inf)])
    values, vectors = jax.vmap(symmetric_eigen_on_host)(matrices)
    assert np.isnan(values[1:]).all()
    assert np.isnan(vectors[1:]).all()
    np.testing.assert_array_equal(values[0], 1)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a matter of LAPACK on CPU")
@pytest.mark.parametrize(
    "measure",
    [
        lambda points: capacity(points[0]),
        lambda points: capacity(points[0], vary_components=True),
        lambda points: jax.grad(lambda points: capacity(points, num_center_components=1).sum())(points[0]),
        lambda points: jax.vmap(lambda one: capacity(one, num_center_components=1, chunk=2))(points),
        lambda points: geometry.joint_geometry(points[0], key=jax.random.key(0), num_draws=5).capacity,
        jax.vmap(lambda one: geometry.total_dimension(one).participation_ratio),
    ],
    ids=["search", "neighbors", "gradient", "vmap", "joint", "dimension"],
)
def test_no_lapack_call_takes_a_batch_on_cpu(measure):
    # Two of them at once on two cores never end with jaxlib 0.10.
    assert batched_calls(measure, POINTS) == []


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a matter of LAPACK on CPU")
def test_a_batched_call_is_noticed_and_still_is_what_jax_makes():
    # As soon as jax makes no batched call, `symmetric_eigen` has no reason left.
    assert batched_calls(lambda points: jnp.linalg.eigh(points @ points.swapaxes(-1, -2))[1], POINTS)


TARGET = np.random.default_rng(3).standard_normal((60, 60))


def of_span(directions):
    target = TARGET[: len(directions), : len(directions)]
    return jnp.sum(jnp.cos(target * (directions @ directions.T)))


@pytest.mark.parametrize(("shape", "num_components"), [((9, 5), 3), ((9, 5), 0), ((60, 50), 14), ((60, 50), 40)])
def test_columns_span_what_those_of_a_qr_decomposition_do_and_so_do_their_gradients(x64, shape, num_components):
    columns = jnp.asarray(np.random.default_rng(2).standard_normal(shape)).at[:, num_components:].set(0)
    found = orthonormal_columns(columns, num_components)
    expected = jnp.linalg.qr(columns[:, :num_components])[0] if num_components else columns[:, :0]
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-10)
    np.testing.assert_allclose(found.T @ found, np.diag(np.arange(shape[1]) < num_components), atol=1e-10)
    np.testing.assert_array_equal(found[:, num_components:], 0)
    gradient = jax.grad(lambda columns: of_span(orthonormal_columns(columns, num_components)))(columns)
    if num_components:
        expected = jax.grad(lambda columns: of_span(jnp.linalg.qr(columns)[0]))(columns[:, :num_components])
        np.testing.assert_allclose(gradient[:, :num_components], expected, atol=1e-8)
    np.testing.assert_allclose(gradient[:, num_components:], 0)


def test_vmap_of_columns_is_a_loop(x64):
    columns = jnp.asarray(np.random.default_rng(0).standard_normal((9, 5))).at[:, 3:].set(0)
    several = jnp.stack([columns, 2 * columns + 1e-3 * columns**2])
    together = jax.vmap(orthonormal_columns, (0, None))(several, 3)
    np.testing.assert_allclose(together, jnp.stack([orthonormal_columns(one, 3) for one in several]), atol=1e-12)
