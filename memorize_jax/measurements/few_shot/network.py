"""Few-shot learning of all classes from the layers of a network, as one compiled program."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from memorize_jax.activations import flat_reader
from memorize_jax.adapters import AnyNetwork
from memorize_jax.analysis.products import (
    Layers,
    examples_per_block,
    inner_products,
    layer_scales,
    map_block_pairs,
)
from memorize_jax.data import ChannelStatistics
from memorize_jax.measurements.few_shot.pairs import PairGeometry, frames, pair_geometry
from memorize_jax.measurements.few_shot.prototypes import draw_prototypes, simulated_errors


class FewShot(NamedTuple):
    """Few-shot learning of P classes at L layers; of pairs (a, a) the numbers mean nothing.

    Attributes:
      pairs: geometry of every ordered pair of classes.
      errors: simulated error of every ordered pair, mean over the draws, by number of shots.
      errors_of_draws: mean over the ordered pairs, draw by draw.
    """

    pairs: PairGeometry  # [L, P, P]
    errors: Float[Array, "L S P P"]
    errors_of_draws: Float[Array, "L S n"]


def few_shot(
    layers_of: Layers,
    examples: Shaped[Array, "P M ..."],
    key: PRNGKeyArray,
    *,
    shots: tuple[int, ...],
    num_draws: int,
) -> FewShot:
    """Measures and simulates every ordered pair of classes at every layer; call it inside `jax.jit`.

    Classes are looked at two blocks at a time, each with `products.BLOCK_BYTES` of activations at most.

    Args:
      layers_of: examples [n, ...] -> name of a layer -> its points [n, N].
      examples: M of each class.
      key: of the prototypes: the same at every layer.
      shots: numbers of examples that a prototype is the mean of; those >= M have NaN as simulated errors.
      num_draws: of the prototypes.
    """
    num_classes, num_examples = examples.shape[:2]
    if num_classes < 2:
        raise ValueError(f"expected at least 2 classes, got {num_classes}")
    widths = [leaf.shape[1] for leaf in jax.eval_shape(layers_of, examples[0]).values()]
    total = num_classes * num_examples
    size = examples_per_block(total, sum(widths), len(widths), multiple=num_examples) // num_examples
    number = -(-num_classes // size)
    weights = jnp.stack([draw_prototypes(key, (num_classes, num_examples), own, num_draws) for own in shots], axis=1)
    # The last block is filled up with its last class, under numbers of no class.
    padding = number * size - num_classes

    def split(leaf):
        filled = jnp.concatenate([leaf, jnp.repeat(leaf[-1:], padding, axis=0)])
        return filled.reshape(number, size, *leaf.shape[1:])

    blocks = jnp.arange(number * size).reshape(number, size), split(examples), split(weights)
    flat = lambda images: images.reshape(-1, *images.shape[2:])
    scales = layer_scales(layers_of, flat(blocks[1][0]))

    def rows_of(block):
        shown = zip(layers_of(flat(block[1])).values(), scales, strict=True)
        return [frames(points.reshape(size, num_examples, -1), scale) for points, scale in shown]

    def reduce(rows, others, block, other):
        joined = lambda found: [own.reshape(-1, own.shape[-1]) for own in found]
        shape = (len(widths), size, num_examples + 1, size, num_examples + 1)
        cross = inner_products(joined(rows), joined(others)).reshape(shape).swapaxes(2, 3)
        owns = inner_products(rows, rows), inner_products(others, others)
        counts = (block[0][:, None] != other[0]) & (block[0][:, None] < num_classes) & (other[0] < num_classes)
        return jax.lax.map(lambda own: _of_layer(own, (block[2], other[2]), counts), (owns[0], cross, owns[1]))

    pairs, errors, sums = map_block_pairs(rows_of, blocks, reduce)

    def whole(leaf):
        """[B, B, L, A, A, ...] -> [L, P, P, ...]."""
        leaf = jnp.moveaxis(leaf, 2, 0).swapaxes(2, 3)
        leaf = leaf.reshape(leaf.shape[0], number * size, number * size, *leaf.shape[5:])
        return leaf[:, :num_classes, :num_classes]

    of_draws = jnp.sum(sums, axis=(0, 1)) / (num_classes * (num_classes - 1))
    return FewShot(jax.tree.map(whole, pairs), jnp.moveaxis(whole(errors), -1, 1), of_draws)


def _of_layer(products, weights, counts):
    """All pairs of two blocks of classes: geometry, mean error, and the sum of errors of every draw."""
    each = lambda function, inner, outer: jax.vmap(jax.vmap(function, inner), outer)
    pairs = each(pair_geometry, (None, 0, 0), (0, 0, None))(*products)
    of_shots = jax.vmap(simulated_errors, (None, None, None, 0, 0))
    errors = each(of_shots, (None, 0, 0, None, 0), (0, 0, None, 0, None))(*products, *weights)
    return pairs, errors.mean(-1), jnp.sum(jnp.where(counts[..., None, None], errors, 0), axis=(0, 1))


@functools.partial(jax.jit, static_argnames=("model", "layers", "shots", "num_draws"))
def network_few_shot(
    model: AnyNetwork,
    variables: dict,
    images: Shaped[Array | np.ndarray, "P M ..."],
    statistics: ChannelStatistics | None,
    key: PRNGKeyArray,
    *,
    layers: tuple[str, ...],
    shots: tuple[int, ...],
    num_draws: int,
) -> FewShot:
    """Measures the input and every layer of a network by `few_shot`.

    Args:
      model: the network.
      variables: params and batch_stats.
      images: M of each class, as they are.
      statistics: standardize the images.
      layers: names of the analyzed layers.
    """
    read = functools.partial(flat_reader(model, statistics, layers), variables)
    return few_shot(read, jnp.asarray(images), key, shots=shots, num_draws=num_draws)
