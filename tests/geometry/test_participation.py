"""Participation ratios against published numbers, a plain NumPy twin in the paper's own form, and known spectra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from memorize_jax.geometry import (
    layer_participation,
    participation_ratio,
    streamed_participation,
    streaming,
    total_dimension,
)
from memorize_jax.geometry.status import COINCIDE, NO_VARIANCE, NOT_FINITE, TOO_FEW

RNG = np.random.default_rng(0)
# "row" of dimensionality 0.1.4 for x[i, j] = sin((i + 1)(j + 2)) + 0.5, of n x d.
PUBLISHED = {(7, 5): 7.1454866445840315, (12, 40): 297.36715191708987, (40, 12): 16.61292615906565}


def waves(n, d):
    rows, columns = np.arange(n)[:, None], np.arange(d)
    return np.sin((rows + 1) * (columns + 2)) + 0.5


def twin(points):
    """The estimator by the raw Gram matrix, without centering: unlike ours in every intermediate number."""
    gram = points @ points.T
    n, d, s = len(gram), np.diag(gram), gram.sum(axis=1)
    t1, t2, t3, t5 = (gram**2).sum(), (d**2).sum(), (d * s).sum(), (s**2).sum()
    t6, t7, t9, f = d.sum() ** 2, d.sum() * s.sum(), s.sum() ** 2, 1 / ((n - 1) * (n - 2))
    above = t6 - 2 * t7 / (n - 1) + (4 * t3 - n * t2) / (n - 2) + f * (t9 - 4 * t5 + 2 * t1 - t6)
    below = t1 - n * t2 / (n - 2) + 2 * (2 * t3 - t5) / (n - 2) + f * (t6 - 2 * t7 + t9)
    return above / below


@pytest.mark.parametrize(("n", "d"), [(7, 5), (40, 60)])
def test_equals_the_published_formula(n, d, x64):
    points = RNG.normal(size=(n, d)) * RNG.uniform(0.1, 2, d) + RNG.normal(size=d)
    found = participation_ratio(points)
    np.testing.assert_allclose(found.corrected, twin(points), rtol=1e-9)
    np.testing.assert_allclose(found.plain, total_dimension(points).participation_ratio, rtol=1e-9)
    # Neither origin nor scale nor orientation matters, however far off.
    moved = 1e-3 * points @ np.linalg.qr(RNG.normal(size=(d, d)))[0] + 1e3
    np.testing.assert_allclose(participation_ratio(moved).corrected, found.corrected, rtol=1e-6)
    # In classes or not.
    if n == 40:
        whole = participation_ratio(points.reshape(4, 10, d))
        np.testing.assert_allclose(whole.corrected, found.corrected, rtol=1e-12)


@pytest.mark.parametrize("shape", PUBLISHED)
def test_equals_the_published_package(shape, x64):
    np.testing.assert_allclose(participation_ratio(waves(*shape)).corrected, PUBLISHED[shape], rtol=1e-9)


def mean_of(draw, repeats=12):
    found = [participation_ratio(draw()) for _ in range(repeats)]
    return [float(np.mean([getattr(one, name) for one in found])) for name in ("plain", "corrected")]


def test_few_points_of_a_known_spectrum_have_its_dimension():
    plain, corrected = mean_of(lambda: RNG.normal(size=(50, 50)))
    assert corrected == pytest.approx(50, rel=0.03)
    assert plain == pytest.approx(24.8, rel=0.03)
    scales = np.arange(1, 501) ** -0.25
    plain, corrected = mean_of(lambda: RNG.normal(size=(50, 500)) * scales)
    true = (scales**2).sum() ** 2 / (scales**4).sum()
    assert (true, corrected) == (pytest.approx(275.8, abs=0.1), pytest.approx(275.8, rel=0.05))
    assert plain < 0.45 * true


def test_digits_have_thirteen_directions_by_fifty_examples_as_by_all():
    pixels = load_digits().data
    whole = participation_ratio(pixels)
    assert (whole.plain, whole.corrected) == (pytest.approx(13.17, abs=0.01), pytest.approx(13.26, abs=0.01))
    # A single choice of fifty scatters by 1.
    plain, corrected = mean_of(lambda: pixels[RNG.permutation(len(pixels))[:50]], 40)
    assert corrected == pytest.approx(13.26, abs=0.5)
    assert plain < 11


def test_float32_jit_and_streams_give_the_same(monkeypatch):
    points = RNG.normal(size=(5, 9, 30)).astype(np.float32) + 100
    both = {"a": points, "b": points[..., :8]}
    found = layer_participation(both)
    for place, layer in enumerate(both.values()):
        flat = layer.reshape(45, -1).astype(np.float64)
        np.testing.assert_allclose(found.together.corrected[place], twin(flat - flat[0]), rtol=1e-4)
        classes = [twin(own - own[0]) for own in layer.astype(np.float64)]
        np.testing.assert_allclose(found.by_class.corrected[place], classes, rtol=1e-4)
    jitted = jax.jit(layer_participation)(both)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5), jitted, found)
    # All classes held at once, or two at a time with a place left over.
    layers_of = lambda own: {"a": own, "b": own[..., :8]}
    for held, at_a_time in ((1024, 5), (18, 2)):
        monkeypatch.setattr(streaming, "POINTS_HELD", held)
        streamed = jax.jit(lambda x, n=at_a_time: streamed_participation(layers_of, x, manifolds_at_a_time=n))(points)
        jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4), streamed, found)


def test_classes_of_unequal_size_are_measured_on_what_they_have():
    parts = [RNG.normal(size=(n, 6)) for n in (4, 7, 12)]
    found = layer_participation({"a": parts})
    np.testing.assert_allclose(found.together.corrected[0], twin(np.concatenate(parts)), rtol=1e-4)
    np.testing.assert_allclose(found.by_class.corrected[0], [twin(part) for part in parts], rtol=1e-4)


@pytest.mark.parametrize("offset", [0, 1, 100])
@pytest.mark.parametrize("num_points", [4, 6, 50, 1100])
def test_what_rounding_leaves_of_points_at_right_angles_is_no_dimension(num_points, offset):
    # The estimate of sum lambda^2 is zero; a number a little above it would give a dimension of billions.
    rotation = np.linalg.qr(RNG.normal(size=(num_points, num_points)))[0]
    apart = participation_ratio(rotation + offset * RNG.normal(size=num_points))
    assert (int(apart.status), float(apart.plain)) == (NO_VARIANCE, pytest.approx(num_points - 1, rel=1e-5))
    assert np.isnan(apart.corrected)


def test_a_dimension_far_above_the_number_of_points_is_found():
    found = participation_ratio(RNG.normal(size=(40, 100_000)).astype(np.float32))
    assert int(found.status) == 0
    np.testing.assert_allclose(found.corrected, 100_000, rtol=0.2)


@pytest.mark.parametrize("offset", [0, 1, 300])
def test_a_class_of_equal_points_has_no_dimension_whichever_class_it_is(offset):
    points = RNG.normal(size=(6, 50, 20)) + RNG.normal(size=(6, 1, 20)) + offset
    points[[0, 2, 5]] = points[[0, 2, 5], :1]
    found = layer_participation({"layer": points.astype(np.float32)}).by_class
    assert found.status[0].tolist() == [COINCIDE, 0, COINCIDE, 0, 0, COINCIDE]
    for values in (found.plain[0], found.corrected[0]):
        assert np.isnan(values).tolist() == [True, False, True, False, False, True]


def test_what_cannot_be_had_is_nan_and_says_why():
    few, same = participation_ratio(RNG.normal(size=(3, 5))), participation_ratio(np.full((6, 5), 0.1))
    assert (int(few.status), int(same.status)) == (TOO_FEW, COINCIDE)
    assert np.isnan([few.corrected, same.corrected, same.plain]).all()
    assert 1 <= few.plain <= 2
    bad = jax.jit(participation_ratio)(jnp.full((6, 5), jnp.nan))
    assert int(bad.status) == NOT_FINITE
    assert np.isnan([bad.plain, bad.corrected]).all()
    with pytest.raises(ValueError, match=r"expected points \[P, M, N\] or \[n, N\], got shape \(3,\)"):
        participation_ratio(np.ones(3))
    with pytest.raises(ValueError, match="expected finite points"):
        participation_ratio(np.array([[0.0, np.nan]] * 5))
