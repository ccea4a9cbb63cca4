"""Convolutions of images smaller than the kernel."""

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
    (1, 3, 1),
    (2, 3, 1),
    (2, 3, 2),
    (4, 3, 2),
    (3, 3, 1),
    (4, 5, 1),
    (2, 5, 1),
    (1, 1, 2),
    (7, 3, 2),
    (32, 11, 4),
]


def _images_and_kernel(extent, size, dtype=jnp.float32):
    keys = [jax.random.fold_in(jax.random.key(extent), number) for number in range(2)]
    images = jax.random.normal(keys[0], (3, extent, extent, 4), dtype)
    return images, jax.random.normal(keys[1], (size, size, 4, 5), dtype)


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
def test_agrees_with_the_definition(extent, size, stride):
    with jax.enable_x64(True):
        images, kernel = _images_and_kernel(extent, size, jnp.float64)
        ours = _convolved(convolve, stride, size, images, kernel)
        np.testing.assert_allclose(
            ours, _by_loops(np.asarray(images), np.asarray(kernel), stride), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize(("extent", "size", "stride"), SHAPES)
def test_gradients_are_those_of_lax(extent, size, stride):
    with jax.enable_x64(True):
        images, kernel = _images_and_kernel(extent, size, jnp.float64)

        def loss(function, images, kernel):
            return jnp.sum(jnp.sin(_convolved(function, stride, size, images, kernel)))

        for ours, theirs in zip(
            jax.jit(jax.grad(partial(loss, convolve), argnums=(0, 1)))(images, kernel),
            jax.grad(partial(loss, lax.conv_general_dilated), argnums=(0, 1))(images, kernel),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


def test_many_kernels_at_once_are_one_after_the_other():
    images, kernel = _images_and_kernel(2, 3)
    kernels = jnp.stack([kernel, 2 * kernel, -kernel])
    one = partial(_convolved, convolve, 1, 3, images)
    np.testing.assert_allclose(jax.vmap(one)(kernels), jnp.stack([one(k) for k in kernels]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("extent", "size", "stride", "small"), [(2, 3, 1, True), (4, 3, 2, True), (4, 3, 1, False), (32, 11, 4, False)]
)
def test_cpu_multiplies_what_others_convolve(extent, size, stride, small):
    images, kernel = _images_and_kernel(extent, size)
    traced = jax.jit(partial(_convolved, convolve, stride, size)).trace(images, kernel)
    assert ("stablehlo.convolution" in traced.lower(lowering_platforms=("cpu",)).as_text()) != small
    assert "stablehlo.convolution" in traced.lower(lowering_platforms=("cuda",)).as_text()
