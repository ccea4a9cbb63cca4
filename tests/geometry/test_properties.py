import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from memorize_jax.geometry import status
from tests.geometry.shared import POINTS, measure

# One shape, so that one compilation serves all examples; what is in it varies.
SHAPE = POINTS.shape
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def clouds(draw):
    """Points of all kinds: any scale and offset, duplicates, constant features, collapsed classes."""
    rng = np.random.default_rng(draw(SEEDS))
    points = rng.normal(size=(SHAPE[0], 1, SHAPE[2])) + draw(st.floats(0, 5)) * rng.normal(size=SHAPE)
    if draw(st.booleans()):
        points[:, 1] = points[:, 0]
    if draw(st.booleans()):
        points[0] = points[0, :1]
    if draw(st.booleans()):
        points[..., : draw(st.integers(1, 7))] = 0
    return (points * 10.0 ** draw(st.integers(-12, 12)) + draw(st.sampled_from([0.0, 1.0]))).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(clouds())
def test_a_number_is_good_or_it_is_nan_with_a_reason(points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = measure(points)
    valid = (np.asarray(result.status) & status.INVALID) == 0
    assert np.all(np.isnan(result.capacity[~valid]))
    # With M examples the capacity lies between Cover's bound and that of a point, up to sampling noise.
    assert np.all(np.asarray(result.capacity)[valid] > 0.5 * 2 / SHAPE[1])
    assert np.all(np.asarray(result.capacity)[valid] < 6)
    assert np.all(np.asarray(result.radius)[valid] >= 0)
    assert np.all(np.asarray(result.dimension)[valid] <= SHAPE[1])


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_order_of_classes_and_examples_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(4, 1, 8)) + rng.normal(size=SHAPE)).astype(np.float32)
    classes, examples = rng.permutation(4), rng.permutation(6)
    draws = rng.normal(size=(4, 50, 7)).astype(np.float32)
    before = measure(points, draws=draws).capacity
    after = measure(points[classes][:, examples], draws=draws[classes][:, :, [*examples, 6]]).capacity
    np.testing.assert_allclose(after, before[classes], rtol=1e-3)
