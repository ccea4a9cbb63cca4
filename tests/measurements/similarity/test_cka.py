"""Centered kernel alignment: against NumPy, its invariances, what it says of points that have nothing in common."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.analysis import products
from memorize_jax.analysis.similarity import all_layers, center_gram, centered_gram, cka, network_grams, same_layers
from memorize_jax.data import channel_statistics
from memorize_jax.geometry.status import COINCIDE, NO_VARIANCE, NOT_FINITE, TOO_FEW
from tests.measurements import tiny


def hsic_1(first, second):
    """The unbiased estimate of two sets of points, term by term as it is printed."""
    n = len(first)
    k, m = (points @ points.T for points in (first, second))
    for gram in (k, m):
        np.fill_diagonal(gram, 0)
    ones = np.ones(n)
    terms = np.trace(k @ m), (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2)), ones @ k @ m @ ones
    return (terms[0] + terms[1] - 2 / (n - 2) * terms[2]) / (n * (n - 3))


def twin(first, second):
    """(plain, debiased) in float64; points about their means, for a common offset would cost the twin its digits."""
    a, b = (points - points.mean(0) for points in (first, second))
    plain = np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    return plain, hsic_1(a, b) / np.sqrt(hsic_1(a, a) * hsic_1(b, b))


compiled = jax.jit(cka)


def layers(offset=0.0):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(40, 12)) + offset
    return first, np.maximum(first @ rng.normal(size=(12, 90)), 0) + 0.5 * rng.normal(size=(40, 90))


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_it_equals_numpy(offset, x64):
    found = compiled(*layers(offset))
    np.testing.assert_allclose([found.cka, found.cka_debiased], twin(*layers(offset)), rtol=1e-10)
    assert found.status == 0


def test_the_estimate_as_printed_needs_no_centering(x64):
    first, second = layers()
    as_printed = hsic_1(first, second) / np.sqrt(hsic_1(first, first) * hsic_1(second, second))
    np.testing.assert_allclose(compiled(first, second).cka_debiased, as_printed, rtol=1e-10)


def test_it_equals_numpy_in_single_precision():
    pair = layers(1000.0)
    exact = [points.astype(np.float32).astype(float) for points in pair]
    found = compiled(*(points.astype(np.float32) for points in pair))
    np.testing.assert_allclose([found.cka, found.cka_debiased], twin(*exact), rtol=1e-5)


def test_rotation_scale_and_translation_change_nothing(x64):
    first, second = layers()
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))[0]
    moved = 1e-9 * (first @ rotation) + 3.0
    expected = compiled(first, second)[:2]
    np.testing.assert_allclose(compiled(moved, second)[:2], expected, rtol=1e-5)
    np.testing.assert_allclose(compiled(1e150 * first, second)[:2], expected, rtol=1e-10)
    np.testing.assert_allclose(compiled(first @ rotation, second)[:2], expected, rtol=1e-10)
    np.testing.assert_allclose(compiled(second[:, ::-1], second[:, ::-1])[:2], 1.0, rtol=1e-10)


def test_independent_points_have_nothing_in_common_though_the_plain_form_says_so():
    draws = jax.random.normal(jax.random.key(0), (2, 60, 50, 1000))
    found = jax.jit(jax.vmap(cka))(*draws)
    error = found.cka_debiased.std(ddof=1) / np.sqrt(60)
    assert abs(found.cka_debiased.mean()) < 3 * error < 0.02
    assert found.cka.min() > 0.9


@pytest.mark.parametrize(
    ("points", "status", "has_plain"),
    [
        (np.full((6, 6), 7.3), COINCIDE, False),
        (np.eye(3), TOO_FEW, True),
        (np.where(np.eye(6) > 0, np.nan, 1.0), NOT_FINITE, False),
        # As far from one another, every one, as points can be: nothing is shared beyond the diagonal.
        (np.eye(6), NO_VARIANCE, True),
        (np.linalg.qr(np.random.default_rng(0).normal(size=(50, 50)))[0] + 9, NO_VARIANCE, True),
    ],
)
def test_what_cannot_be_had_is_nan_with_a_reason(points, status, has_plain):
    found = compiled(*2 * [points.astype(np.float32)])
    assert found.status == status
    assert np.isnan(found.cka_debiased)
    assert np.isfinite(found.cka) == has_plain


def test_as_many_points_of_both_layers_are_needed():
    with pytest.raises(ValueError, match="expected as many points of both layers, got 40 and 39"):
        cka(layers()[0], layers()[1][1:])


def test_all_pairs_and_rows_of_no_example():
    grams = jnp.stack([centered_gram(jnp.asarray(points, jnp.float32)) for points in layers()])
    found = all_layers(grams, grams, 40)
    np.testing.assert_allclose(found.cka_debiased[0, 1], same_layers(grams[0], grams[1], 40).cka_debiased, rtol=1e-6)
    np.testing.assert_allclose(jnp.diagonal(found.cka), 1.0, rtol=1e-6)
    longer = [np.concatenate([points, points[:5]]) for points in layers()]
    grams = [center_gram(jnp.asarray(own @ own.T, jnp.float32), jnp.arange(45) < 40) for own in longer]
    np.testing.assert_allclose(same_layers(*grams, 40)[:2], twin(*layers()), rtol=1e-4)


def test_gram_matrices_of_a_network_block_by_block(monkeypatch):
    images = tiny.load().train.images[:11]
    model, statistics = tiny.Net(num_classes=tiny.CLASSES), channel_statistics(images, "channels")
    variables = model.init(jax.random.key(0), jnp.zeros((1, *images.shape[1:])))
    options = {"statistics": statistics, "layers": ("linear1", "linear2")}
    grams = functools.partial(network_grams.__wrapped__, model, variables, images, np.arange(11) < 10, **options)
    # A program of its own each time: the size of a block is part of it.
    make = lambda: jax.jit(lambda: grams())()
    whole = make()
    # Four examples of 9 + 6 + 3 features at a time.
    monkeypatch.setattr(products, "BLOCK_BYTES", 4 * 4 * 18 + 4 * 3 * 3 * 16)
    assert products.examples_per_block(11, 18, 3) < 11
    np.testing.assert_allclose(make(), whole, atol=1e-5 * float(jnp.abs(whole).max()))
    x = np.asarray((images[:10] - np.mean(images)) / np.std(images)).reshape(10, -1)
    expected = twin(x, np.maximum(x @ variables["params"]["linear1"]["kernel"], 0))
    np.testing.assert_allclose(same_layers(whole[0], whole[1], 10)[:2], expected, rtol=1e-4)
    assert not whole[:, 10].any()


@pytest.mark.parametrize("number", [1, 2, 33, 100])
def test_points_are_counted_from_their_middle(number):
    points = np.random.default_rng(0).normal(size=(number, 5)).astype(np.float32) + 50
    points[0] += 1e4 * (number > 2)
    layers_of = lambda images: {"": jnp.asarray(images)}
    (scale,) = products.layer_scales(layers_of, points)
    assert np.abs(scale.origin - 50).max() < 4
    assert np.abs(products.shifted_layers(layers_of, points)(points)[0]).max() < 2
    same = np.repeat(points[:1] / 3, number, axis=0)
    assert not products.shifted_layers(layers_of, same)(same)[0].any()
    points[: number // 3] = np.nan
    assert np.isfinite(products.layer_scales(layers_of, points)[0].origin).all()


def test_blocks_are_as_large_as_memory_allows():
    assert products.examples_per_block(1000, 1000, 7) == 1000
    assert products.examples_per_block(1000, 300_000, 20) == 334
    # Whole classes, in blocks of about one size.
    assert products.examples_per_block(5000, 1000, 7, multiple=50) == 2500
    assert products.examples_per_block(100, 10**9, 7, multiple=50) == 50


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.float16, jnp.bfloat16, np.float64])
def test_integers_and_half_precision_are_compared_as_the_numbers_that_they_are(dtype):
    first, second = (jnp.asarray(np.clip(30 * points, -120, 120) + 120 * (dtype == np.uint8)) for points in layers())
    first, second = (np.asarray(points).astype(dtype) for points in (first, second))
    expected = cka(*(np.asarray(points, np.float32) for points in (first, second)))
    np.testing.assert_allclose(cka(first, second)[:2], expected[:2], rtol=1e-5)
    np.testing.assert_allclose(compiled(jnp.asarray(first), jnp.asarray(second))[:2], expected[:2], rtol=1e-5)
    scaled = cka(1e60 * np.asarray(first, np.float64), np.asarray(second, np.float64) / 1e60)
    np.testing.assert_allclose(scaled[:2], expected[:2], rtol=1e-5)
