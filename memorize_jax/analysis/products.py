"""Inner products of examples at every layer of a network, block by block: no layer is ever held whole."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from memorize_jax.scale import power_of_two

# Activations of a block, and its inner products, take so much at most; two blocks are held.
BLOCK_BYTES = 2**29
# Examples, evenly spaced, that the middle of a layer is the median of.
MEDIAN_OF = 16
# (images [n, ...]) -> name of a layer -> its activations [n, N].
Layers = Callable[[Any], Mapping[str, Float[Array, "n _"]]]
# Of every layer.
Rows = Sequence[Float[Array, "r _"]]


def examples_per_block(num_examples: int, num_features: int, num_layers: int, *, multiple: int = 1) -> int:
    """Chooses how many examples are looked at together: all, or as many as `BLOCK_BYTES` allow.

    Args:
      num_features: of all layers together.
      multiple: of which it is one, e.g. the examples of a class.
    """
    by_features = BLOCK_BYTES // (4 * num_features)
    by_products = math.isqrt(BLOCK_BYTES // (3 * 4 * num_layers))
    most = max(multiple, min(by_features, by_products) // multiple * multiple)
    num_blocks = -(-num_examples // most)
    return -(-num_examples // (num_blocks * multiple)) * multiple


class Scale(NamedTuple):
    """What the points of a layer are counted from and in, for what depends on neither.

    Attributes:
      origin: their middle, as a common offset would cost digits.
      unit: of length, a power of two, as squares in a large one would overflow.
    """

    origin: Float[Array, "1 _"]
    unit: Float[Array, ""]


def layer_scales(layers_of: Layers, first: Shaped[Array, "n ..."]) -> list[Scale]:
    """Finds where the middle of every layer is, and its size, from the activations of some images.

    The middle is a median: neither an example far from all others nor one that is not finite moves it.
    """
    shown = layers_of(first).values()
    origins = [_middle(points) for points in shown]
    units = [power_of_two(_largest(points - origin)) for points, origin in zip(shown, origins, strict=True)]
    return [Scale(*own) for own in zip(origins, units, strict=True)]


def shifted_layers(layers_of: Layers, first: Shaped[Array, "n ..."]) -> Callable[[Any], list[Float[Array, "n _"]]]:
    """Lets every layer be counted from and in its `layer_scales`; equal points become zeros.

    Args:
      layers_of: shows the layers for images.
      first: the images that the scales are of.

    Returns:
      images [n, ...] -> points [n, N] of every layer.
    """
    scales = layer_scales(layers_of, first)

    def points_of(images):
        found = zip(layers_of(images).values(), scales, strict=True)
        return [(points - scale.origin) / scale.unit for points, scale in found]

    return points_of


def _middle(points):
    """The median of some examples, feature by feature."""
    some = points[:: -(-len(points) // MEDIAN_OF)]
    # The lower of two in the middle, not their mean: of equal points it is exactly theirs.
    return jnp.sort(some, axis=0)[(len(some) - 1) // 2][None]


def _largest(offsets):
    sizes = jnp.abs(offsets)
    return jnp.max(jnp.where(jnp.isfinite(sizes), sizes, 0))


def map_block_pairs(rows_of: Callable[[Any], Rows], blocks: Any, reduce: Callable[[Rows, Rows, Any, Any], Any]) -> Any:
    """Reduces every ordered pair of blocks to what it is needed for; call it inside `jax.jit`.

    Args:
      rows_of: block -> rows of every layer.
      blocks: arrays with a leading axis of blocks.
      reduce: takes the rows of a block, those of the other one, and both blocks.

    Returns:
      What `reduce` gives, with two leading axes: of the block and of the other one.
    """
    if len(jax.tree.leaves(blocks)[0]) == 1:
        only = jax.tree.map(lambda leaf: leaf[0], blocks)
        rows = rows_of(only)
        return jax.tree.map(lambda leaf: leaf[None, None], reduce(rows, rows, only, only))

    def with_all(block):
        rows = rows_of(block)
        return jax.lax.map(lambda other: reduce(rows, rows_of(other), block, other), blocks)

    return jax.lax.map(with_all, blocks)


def inner_products(rows: Rows, others: Rows) -> Float[Array, "L ..."]:
    """Inner products of rows [..., r, N] with others [..., s, N] of every layer, in full precision."""
    with jax.default_matmul_precision("highest"):
        return jnp.stack([a @ jnp.swapaxes(b, -1, -2) for a, b in zip(rows, others, strict=True)])
