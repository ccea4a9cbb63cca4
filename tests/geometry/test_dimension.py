import numpy as np
import pytest
from sklearn.decomposition import PCA

from memorize_jax.geometry import total_dimension
from tests.oracles import reference


@pytest.mark.parametrize("name", reference.SETS)
def test_equals_scikit_learn(name):
    points = reference.points(name)
    flat = points.reshape(-1, points.shape[-1]).astype(np.float64)
    values = PCA(svd_solver="full").fit(flat).explained_variance_
    found = total_dimension(points)
    np.testing.assert_allclose(found.participation_ratio, values.sum() ** 2 / (values**2).sum(), rtol=1e-4)
    assert int(found.explained_variance) == np.searchsorted(np.cumsum(values) / values.sum(), 0.9) + 1


@pytest.mark.parametrize(
    ("points", "ratio", "number"),
    [
        (np.concatenate([np.eye(8), -np.eye(8)]), 8, 8),
        # Fewer points than features: the published tool drops the last singular value here.
        (np.array([[0.0] * 10, [1.0] * 10]), 1, 1),
        (np.ones((5, 3)), np.nan, 0),
        # The mean of equal numbers that are not exact is not always one of them.
        (np.full((37, 5), 0.1, np.float32), np.nan, 0),
    ],
    ids=["orthogonal", "two points", "identical", "identical and not exact"],
)
def test_known_dimensions(points, ratio, number):
    found = total_dimension(points, share=1.0)
    np.testing.assert_allclose(found.participation_ratio, ratio, rtol=1e-5)
    assert int(found.explained_variance) == number


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        total_dimension(np.ones(3))
    with pytest.raises(ValueError, match=r"expected share in \(0, 1\], got 1.5"):
        total_dimension(np.ones((3, 3)), share=1.5)
