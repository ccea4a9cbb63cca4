import numpy as np
import pytest

from memorize_jax.own_activations.coordinates import alike, coordinates_of


def points(dtype=np.float32, offset=3.0):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(12, 300)) @ np.diag(np.geomspace(1, 1e-2, 300)) + offset * rng.normal(size=300)).astype(
        dtype
    )


@pytest.mark.parametrize("offset", [0.0, 3.0, 1000.0])
def test_inner_products_and_the_origin_are_kept(offset):
    x = points(offset=offset)
    found = coordinates_of(x)
    assert found.dtype == np.float32
    assert found.shape[1] <= 13
    wide, narrow = x.astype(float), found.astype(float)
    np.testing.assert_allclose(narrow @ narrow.T, wide @ wide.T, rtol=2e-6)
    about = lambda values: (values - values.mean(0)) @ (values - values.mean(0)).T
    np.testing.assert_allclose(about(narrow), about(wide), atol=1e-6 * np.trace(about(wide)) * max(1, offset))


def test_finer_numbers_keep_their_digits_about_the_mean():
    x = points(np.float64, offset=1e6) * 1e-200
    found = coordinates_of(x)
    about = lambda values: (values - values.mean(0)) @ (values - values.mean(0)).T
    np.testing.assert_allclose(about(found * 1e200), about(x * 1e200), atol=1e-8)


def test_equal_points_and_constant_layers():
    x = points()
    x[3] = x[7]
    found = coordinates_of(x)
    np.testing.assert_array_equal(found[3], found[7])
    constant = coordinates_of(np.full((12, 300), 0.1, np.float32))
    assert (constant == constant[0]).all()
    assert coordinates_of(np.full((12, 300), 0.1)).tolist() == 12 * [[0.0]]


def test_layers_get_one_width():
    layers = {"wide": [points()[:5], points()[5:]], "narrow": [points()[:5, :4], points()[5:, :4]]}
    found = alike(layers)
    assert [part.shape for own in found.values() for part in own] == 2 * [(5, 12), (7, 12)]
    np.testing.assert_array_equal(found["narrow"][1][:, :4], layers["narrow"][1])
    assert (found["narrow"][0][:, 4:] == 0).all()
