"""Convolutions of images smaller than the kernel, and of sequences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from memorize_jax.models.convolution import convolve

LAYOUT = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": None}
# (extent, size, stride): smaller than the kernel, as large, strided, larger, and AlexNet's first.
SHAPES = [
    *((1, 3, 1), (2, 3, 1), (2, 3, 2), (4, 3, 2), (3, 3, 1)),
    *((4, 5, 1), (2, 5, 1), (1, 1, 2), (7, 3, 2), (32, 11, 4)),
]


def _images_and_kernel(extent, size, dtype=np.float32):
    rng = np.random.default_rng(extent)
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in ((3, extent, extent, 4), (size, size, 4, 5))]


def _convolved(function, stride, size, images, kernel):
    padding = ((size // 2, size // 2),) * 2
    return function(images, kernel, (stride, stride), padding, **LAYOUT)


def _by_loops(images, kernel, stride):
    """The definition of a padded convolution, one output after the other."""
    half = kernel.shape[0] // 2
    images = np.pad(images, ((0, 0), (half, half), (half, half), (0, 0)))
    number = (images.shape[1] - kernel.shape[0]) // stride + 1
    result = np.empty((images.shape[0], number, number, kernel.shape[-1]))
    for row in range(number):
        for column in range(number):
            seen = images[:, row * stride :, column * stride :][:, : kernel.shape[0], : kernel.shape[1]]
            result[:, row, column] = np.einsum("nijc,ijcf->nf", seen, kernel)
    return result


@pytest.mark.parametrize(("extent", "size", "stride"), SHAPES)
def test_agrees_with_the_definition_and_gradients_with_lax(extent, size, stride, x64):
    images, kernel = _images_and_kernel(extent, size, np.float64)
    expected = _by_loops(np.asarray(images), np.asarray(kernel), stride)

    @partial(jax.jit, static_argnums=0)
    def gradients(function, images, kernel):
        out, pull = jax.vjp(partial(_convolved, function, stride, size), images, kernel)
        return out, pull(jnp.cos(out))

    (out, ours), (_, theirs) = (
        gradients(function, images, kernel) for function in (convolve, lax.conv_general_dilated)
    )
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("length", "size", "stride"), [(8, 5, 2), (2, 3, 1)])
def test_sequences_agree_with_lax_and_with_images_of_one_row(length, size, stride, x64):
    rng = np.random.default_rng(length)
    sequences, kernel = jnp.asarray(rng.normal(size=(3, length, 4))), jnp.asarray(rng.normal(size=(size, 4, 5)))
    layout = {"dimension_numbers": ("NWC", "WIO", "NWC"), "precision": None}

    @partial(jax.jit, static_argnums=0)
    def gradients(function):
        def out(sequences, kernel):
            return function(sequences, kernel, (stride,), ((1, 1),), **layout)

        value, pull = jax.vjp(out, sequences, kernel)
        return value, *pull(jnp.cos(value))

    for one, other in zip(gradients(convolve), gradients(lax.conv_general_dilated), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    row = convolve(sequences[:, None], kernel[None], (1, stride), ((0, 0), (1, 1)), **LAYOUT)
    np.testing.assert_allclose(row[:, 0], gradients(convolve)[0], rtol=1e-12, atol=1e-12)


def test_many_kernels_at_once_are_one_after_the_other():
    images, kernel = _images_and_kernel(2, 3)
    one = partial(_convolved, convolve, 1, 3, images)
    many = jax.vmap(one)(jnp.stack([kernel, -2 * kernel]))
    np.testing.assert_allclose(many, jnp.stack([one(kernel), one(-2 * kernel)]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("extent", "size", "stride", "small"), [(2, 3, 1, True), (4, 3, 2, True), (4, 3, 1, False), (32, 11, 4, False)]
)
def test_cpu_multiplies_what_others_convolve(extent, size, stride, small):
    traced = jax.jit(partial(_convolved, convolve, stride, size)).trace(*_images_and_kernel(extent, size))
    assert ("stablehlo.convolution" in traced.lower(lowering_platforms=("cpu",)).as_text()) != small
    assert "stablehlo.convolution" in traced.lower(lowering_platforms=("cuda",)).as_text()
