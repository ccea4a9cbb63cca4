"""Convolution and pooling of small images beside what XLA makes of flax's own, in one run.

    python -m benchmarks.small_images --write        # into docs/performance.md; a minute

The networks of the paper halve 32 x 32 pixels down to 2 x 2, where kernels of 3 x 3 are larger than the image.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from absl import app, flags
from jax import lax

from benchmarks import document
from benchmarks.clock import time_together
from benchmarks.tables import table
from memorize_jax.models.convolution import convolve
from memorize_jax.models.pooling import max_pool

MODULE = "benchmarks.small_images"
# Layer, extent of its images, channels, features, size of its kernel, stride; at a quarter of the paper's widths.
CONVOLUTIONS = [
    ("alexnet conv3", 4, 16, 48, 5, 1),
    ("alexnet conv7", 2, 64, 256, 3, 1),
    ("vgg16 conv14", 4, 128, 128, 3, 1),
    ("vgg16 conv18", 2, 128, 128, 3, 1),
    ("resnet18 conv16 of 14 x 14 pixels", 4, 64, 128, 3, 2),
]
POOLINGS = [("vgg16, first", 32, 16), ("vgg16, fourth", 4, 128), ("alexnet, last", 2, 256)]

FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the table into docs/performance.md")
flags.DEFINE_integer("batch", 256, "images")
flags.DEFINE_integer("repeats", 5, "timed turns")


def gradients_of(function, *arguments):
    """A call that computes a layer's output and its gradients by all arguments."""
    compiled = jax.jit(jax.value_and_grad(lambda *given: jnp.sum(function(*given) ** 2), tuple(range(len(arguments)))))
    return partial(compiled, *arguments)


def record(layer: str, shape: tuple[int, ...], functions: dict, *arguments) -> dict:
    """Times one layer, ours and theirs in turns."""
    calls = {name: gradients_of(function, *arguments) for name, function in functions.items()}
    best = {name: 1e3 * timing.best for name, (timing, _) in time_together(calls, repeats=FLAGS.repeats).items()}
    size, ratio = " x ".join(map(str, shape)), best["flax"] / best["ours"]
    return {"layer": layer, "images": size, "ours ms": best["ours"], "flax ms": best["flax"], "x": ratio}


def main(argv: list[str]) -> None:
    """Times all layers."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    records, key = [], jax.random.key(0)
    for layer, extent, channels, features, size, stride in CONVOLUTIONS:
        images = jax.random.normal(key, (FLAGS.batch, extent, extent, channels))
        kernel = jax.random.normal(key, (size, size, channels, features))
        settings = {"strides": (stride, stride), "padding": ((size // 2,) * 2,) * 2}
        options = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": None}
        theirs = partial(lax.conv_general_dilated, window_strides=settings["strides"], padding=settings["padding"])
        functions = {"ours": partial(convolve, **settings, **options), "flax": partial(theirs, **options)}
        records.append(record(layer, images.shape, functions, images, kernel))
    for layer, extent, channels in POOLINGS:
        images = jax.random.normal(key, (FLAGS.batch, extent, extent, channels))
        functions = {"ours": max_pool, "flax": partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2))}
        records.append(record(f"pooling: {layer}", images.shape, functions, images))
    text = f"""Forward and all gradients of one layer of {FLAGS.batch} images in float32, in turns.

{table(records)}
"""
    document.finish(MODULE, [text], write_too=FLAGS.write)


if __name__ == "__main__":
    app.run(main)
