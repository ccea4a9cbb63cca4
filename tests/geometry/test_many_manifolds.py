"""What is computed in another way where manifolds or points are many, beside the way of few."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.geometry import center_search, many_centers, one_layer, participation_ratio
from memorize_jax.geometry.centers import center_structure
from memorize_jax.geometry.joint.pipeline import joint_geometry_of_layers
from memorize_jax.geometry.options import GeometryOptions, joint_options, mean_field_options
from memorize_jax.geometry.pipeline import geometry_of_layers

KEY = jax.random.key(0)


def oracle_of_participation(points):
    gram = (points := points - points.mean(0)) @ points.T
    n, d = len(gram), np.diag(gram)
    pairs, f = np.sum(gram**2) - np.sum(d**2), 1 / ((n - 1) * (n - 2))
    above = (1 - f) * d.sum() ** 2 - (n + 1) / (n - 1) * np.sum(d**2) + 2 * f * pairs
    below = pairs - 2 / (n - 2) * np.sum(d**2) + f * d.sum() ** 2
    return d.sum() ** 2 / np.sum(gram**2), above / below


@pytest.mark.parametrize("outlier", [1, 300])
def test_participation_by_products_of_features(outlier):
    points = np.random.default_rng(0).normal(size=(1100, 7)) * np.arange(1, 8)
    points[3] *= outlier
    found = participation_ratio(points.astype(np.float32))
    np.testing.assert_allclose((found.plain, found.corrected), oracle_of_participation(points), 2e-3)


def shared_centers(num, seed=0):
    """Centers with four shared directions, one of them stronger than all else."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(num, 4)) * [3, 1.5, 1.5, 1.5]
    return (shared @ rng.normal(size=(4, 400)) + rng.normal(size=(num, 400))).astype(np.float32)


@pytest.mark.slow
def test_written_out_gradient():
    centers = center_search.decompose(jnp.asarray(np.cov(shared_centers(12))))
    free = jax.random.normal(KEY, (12, 5))
    found = many_centers.value_and_gradient(free, 0.7, 3, centers)
    expected = jax.value_and_grad(center_search._objective)(free, 0.7, 3, centers)
    np.testing.assert_allclose(found[0], expected[0], 1e-5)
    np.testing.assert_allclose(found[1], expected[1], 1e-3, 1e-4 * float(jnp.max(jnp.abs(expected[1]))))


@pytest.mark.slow
def test_many_centers_keep_their_rank_and_lose_what_they_share():
    points = shared_centers(300)
    found = center_structure(jnp.asarray(points @ points.T), key=KEY)
    centered = points.astype(float) - points.mean(0)
    norms = np.linalg.norm(centered, axis=1)
    cosines = np.abs(centered @ centered.T) / np.outer(norms, norms)
    before = (cosines.sum() - len(points)) / len(points) / (len(points) - 1)
    np.testing.assert_allclose(found.center_correlation, before, 5e-3)
    assert 4 <= found.num_components <= 12
    # Of isotropic vectors in 396 dimensions: sqrt(2 / (pi 396)).
    np.testing.assert_allclose(found.residual_correlation, 0.0401, rtol=0.1)


@pytest.mark.slow
def test_one_layer_of_many_manifolds_is_measured_as_among_others():
    rng = np.random.default_rng(0)
    points = jnp.asarray(shared_centers(260)[:, None] + rng.normal(size=(260, 3, 400)).astype(np.float32))
    mask = np.ones((260, 3), np.float32)
    mask[4, 2] = 0
    points = points * mask[..., None]
    shape = (1, 260, 3, points.dtype)
    ready = mean_field_options(GeometryOptions(num_draws=20), shape)
    joint = joint_options(GeometryOptions(num_draws=20, classes_per_draw=20), shape)
    found = one_layer.geometries_of_one_layer(points, mask, KEY, ready, joint)
    expected = geometry_of_layers((points,), mask, KEY, ready)
    for name in ("capacity", "radius", "dimension", "center_correlation", "residual_correlation", "center_norm"):
        # The cost is flat around its least, where rounding decides.
        np.testing.assert_allclose(getattr(found.mean_field, name), getattr(expected, name), 0.05)
    np.testing.assert_array_equal(found.mean_field.num_center_components, expected.num_center_components)
    assert found.joint is not None
    jointly = joint_geometry_of_layers((points,), mask, KEY, joint)
    np.testing.assert_allclose(found.joint.capacity, jointly.capacity, 1e-4)
    participation = one_layer.participation_of_points(points, mask)
    np.testing.assert_allclose(found.participation.together.corrected[0], participation.together.corrected, 1e-4)
    np.testing.assert_allclose(found.participation.by_class.plain[0], participation.by_class.plain, 1e-4)
