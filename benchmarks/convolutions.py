"""The convolutions of a network one by one: forward, and the gradients by input and by kernel, beside PyTorch's."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.clock import time_together
from memorize_jax import models
from memorize_jax.models.convolution import convolve

PARTS = ("forward", "by input", "by kernel")
LAYOUT = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": lax.Precision.HIGHEST}


class Convolution(NamedTuple):
    """A layer's shape: pixels on a side, channels, features, kernel's extent, stride, padding on every side."""

    extent: int
    channels: int
    features: int
    size: int
    stride: int
    padding: int


def convolutions_of(model: str, width: int, shape: tuple[int, ...]) -> list[Convolution]:
    """The different convolutions of a network, in order; computes nothing."""
    network, found = models.create(model, num_classes=100, width=width), []

    def note(call, arguments, options, context):
        module = context.module
        if isinstance(module, nn.Conv) and context.method_name == "__call__":
            extent, channels = arguments[0].shape[-2:]
            strides, padding = module.strides, module.padding
            stride = strides if isinstance(strides, int) else strides[0]
            found.append(Convolution(extent, channels, module.features, module.kernel_size[0], stride, padding))
        return call(*arguments, **options)

    with nn.intercept_methods(note):
        jax.eval_shape(network.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    return list(dict.fromkeys(found))


def time_convolution(shape: Convolution, batch_size: int, repeats: int, *, is_first: bool) -> dict:
    """A row of the table: milliseconds of each part, ours and theirs in turns; nothing goes back to the images."""
    parts = [part for part in PARTS if not (is_first and part == "by input")]
    calls = {**_ours(shape, batch_size), **_theirs(shape, batch_size)}
    calls = {name: call for name, call in calls.items() if name.partition(" ")[2] in parts}
    best = {name: 1e3 * timing.best for name, (timing, _) in time_together(calls, repeats=repeats).items()}
    extent, channels, features, size, stride, _ = shape
    row = {"images": f"{extent} x {extent} x {channels}", "features": features, "kernel": size, "stride": stride}
    both = {f"{part} ms": best.get(f"ours {part}") for part in PARTS}
    both |= {f"PyTorch {part} ms": best.get(f"theirs {part}") for part in PARTS}
    sums = [sum(best[f"{who} {part}"] for part in parts) for who in ("ours", "theirs")]
    return row | both | {"x PyTorch": sums[1] / sums[0]}


def _ours(shape, batch_size):
    extent, channels, features, size, stride, padding = shape
    keys = jax.random.split(jax.random.key(0))
    images = jax.random.normal(keys[0], (batch_size, extent, extent, channels))
    kernel = jax.random.normal(keys[1], (size, size, channels, features))
    run = lambda images, kernel: convolve(images, kernel, (stride,) * 2, ((padding,) * 2,) * 2, **LAYOUT)
    out = run(images, kernel)
    forward = jax.jit(run)
    by_input = jax.jit(lambda out, kernel: jax.vjp(lambda images: run(images, kernel), images)[1](out)[0])
    by_kernel = jax.jit(lambda out, images: jax.vjp(lambda kernel: run(images, kernel), kernel)[1](out)[0])
    return {
        "ours forward": lambda: forward(images, kernel),
        "ours by input": lambda: by_input(out, kernel),
        "ours by kernel": lambda: by_kernel(out, images),
    }


def _theirs(shape, batch_size):
    import torch

    extent, channels, features, size, stride, padding = shape
    last = lambda *sizes: torch.randn(*sizes).to(memory_format=torch.channels_last)
    images, kernel = last(batch_size, channels, extent, extent), last(features, channels, size, size)
    out = torch.nn.functional.conv2d(images, kernel, None, stride, padding)
    settings = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
    gradient = lambda *which: torch.ops.aten.convolution_backward(out, images, kernel, None, *settings, [*which, False])
    return {
        "theirs forward": lambda: torch.nn.functional.conv2d(images, kernel, None, stride, padding).shape,
        "theirs by input": lambda: gradient(True, False)[0].shape,
        "theirs by kernel": lambda: gradient(False, True)[1].shape,
    }
