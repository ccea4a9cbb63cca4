import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.geometry.eigen import symmetric_eigen

POINTS = jax.random.normal(jax.random.key(0), (3, 4, 6, 10))


def batched_calls(function, *args):
    """LAPACK calls of a function on more than one matrix at a time."""
    text = jax.jit(function).lower(*args).as_text()
    calls = re.findall(r"custom_call @(lapack_\w+)\(.*: \(tensor<([\dx]+)xf32>", text)
    assert calls
    return [name for name, shape in calls if math.prod(int(size) for size in shape.split("x")[:-2]) > 1]


def test_what_numpy_finds():
    matrices = np.array(jnp.einsum("pij,pkj->pik", POINTS[0], POINTS[0]))
    values, vectors = jax.vmap(symmetric_eigen)(matrices)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrices), rtol=1e-4)
    np.testing.assert_allclose(np.einsum("pij,pj,pkj->pik", vectors, values, vectors), matrices, atol=1e-4)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a matter of LAPACK on CPU")
@pytest.mark.parametrize(
    "measure",
    [
        lambda points: geometry.manifold_geometry(points[0], key=jax.random.key(0), num_draws=5).capacity,
        lambda points: (
            geometry.manifold_geometry(
                points[0], key=jax.random.key(0), num_draws=5, vary_components=True
            ).capacity_more_components
        ),
        lambda points: jax.grad(
            lambda points: geometry.manifold_geometry(
                points, key=jax.random.key(0), num_draws=5, num_center_components=1
            ).capacity.sum()
        )(points[0]),
        lambda points: jax.vmap(
            lambda one: (
                geometry.manifold_geometry(
                    one, key=jax.random.key(0), num_draws=5, num_center_components=1, chunk=2
                ).capacity
            )
        )(points),
        jax.vmap(lambda one: geometry.total_dimension(one).participation_ratio),
    ],
    ids=["search", "neighbors", "gradient", "vmap", "dimension"],
)
def test_no_lapack_call_takes_a_batch_on_cpu(measure):
    # Two of them at once on two cores never end with jaxlib 0.10.
    assert batched_calls(measure, POINTS) == []


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a matter of LAPACK on CPU")
def test_a_batched_call_is_noticed():
    assert batched_calls(lambda points: jnp.linalg.eigh(points @ points.swapaxes(-1, -2))[1], POINTS)
