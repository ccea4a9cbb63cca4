import jax
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.geometry import layer_by_layer
from memorize_jax.geometry.filling import MOST_POINTS, fill_up, is_small, rounded_up
from memorize_jax.geometry.result import JointGeometry, ManifoldGeometry

KEY = jax.random.key(3)


def layers_of(num_examples, widths=(40, 9), counts=None):
    rng = np.random.default_rng(num_examples)
    counts = counts or [num_examples] * 4
    return {
        f"layer{place}": [(rng.normal(size=(n, width)) + 2 * rng.normal(size=width)).astype(float) for n in counts]
        for place, width in enumerate(widths)
    }


def test_sizes_are_few_and_little_larger():
    sizes = {rounded_up(size) for size in range(1, 1025)}
    assert len(sizes) == 8 + 4 * 7
    assert [rounded_up(size) for size in (1, 7, 9, 30, 31, 50, 100)] == [1, 7, 10, 32, 32, 56, 112]
    assert all(size <= rounded_up(size) <= 1.25 * size for size in range(1, 1025))


def test_filling_adds_only_absent_examples_and_features_of_zeros():
    points, mask = np.ones((2, 9, 50), np.float32), np.ones((2, 9), np.float32)
    (filled, narrow), whole = fill_up([points, points[..., :3]], mask)
    assert filled.shape == (2, 10, 56)
    assert narrow.shape == (2, 10, 3)
    assert whole.sum() == mask.sum() == 18
    assert filled.sum() == points.sum()
    assert not is_small(np.ones((1, MOST_POINTS + 1)))


def in_one_program(layers, measure, **options):
    """What the same call gives inside of jit, where nothing is filled up."""
    return jax.jit(lambda layers: measure(layers, key=KEY, **options))(layers)


def assert_alike(found, expected):
    names = [name for name in vars(expected) if name not in ("layers", "classes", "kkt_residual")]
    for name in names:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("counts", [None, [9, 4, 9, 6]])
def test_results_are_those_of_one_program(x64, counts):
    layers = layers_of(9, counts=counts)
    found = geometry.layer_geometry(layers, key=KEY, num_draws=50)
    assert isinstance(found, ManifoldGeometry)
    assert found.layers == ("layer0", "layer1")
    assert_alike(found, in_one_program(layers, geometry.layer_geometry, num_draws=50))
    # With fewer features than points, weights, and with them the classes' capacities, are not unique.
    layers = layers_of(9, widths=(60, 40), counts=counts)
    joint = geometry.layer_joint_geometry(layers, key=KEY, num_draws=20)
    assert isinstance(joint, JointGeometry)
    assert_alike(joint, in_one_program(layers, geometry.layer_joint_geometry, num_draws=20))
    found = geometry.layer_participation(layers)
    expected = jax.jit(geometry.layer_participation)(layers)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-9), found, expected)


def test_other_numbers_of_examples_and_layers_need_no_other_program():
    geometry.layer_geometry(layers_of(9), key=KEY, num_draws=50)
    geometry.layer_joint_geometry(layers_of(9), key=KEY, num_draws=20)
    programs = layer_by_layer._mean_field._cache_size(), layer_by_layer._joint._cache_size()
    geometry.layer_geometry(layers_of(10, widths=(40, 9, 38)), key=KEY, num_draws=50)
    geometry.layer_joint_geometry(layers_of(10, widths=(40, 9, 38)), key=KEY, num_draws=20)
    assert (layer_by_layer._mean_field._cache_size(), layer_by_layer._joint._cache_size()) == programs


def test_draws_of_the_caller_are_used(x64):
    layers = layers_of(9)
    draws = np.random.default_rng(0).normal(size=(4, 30, 10))
    found = geometry.layer_geometry(layers, key=KEY, draws=draws)
    assert_alike(found, in_one_program(layers, geometry.layer_geometry, draws=draws))
    layers = layers_of(9, widths=(60, 40))
    normals = np.random.default_rng(0).normal(size=(20, 36))
    found = geometry.layer_joint_geometry(layers, key=KEY, draws=normals, dichotomies="one_vs_rest")
    how = {"draws": normals, "dichotomies": "one_vs_rest"}
    assert_alike(found, in_one_program(layers, geometry.layer_joint_geometry, **how))
