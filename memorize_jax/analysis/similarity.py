"""Centered kernel alignment (CKA): whether two layers place the same examples alike."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int32, Shaped

from memorize_jax.activations import flat_reader
from memorize_jax.adapters import AnyNetwork
from memorize_jax.analysis.products import examples_per_block, inner_products, map_block_pairs, shifted_layers
from memorize_jax.data import ChannelStatistics
from memorize_jax.geometry.notebook import by_field
from memorize_jax.geometry.points import as_array, to_floating
from memorize_jax.geometry.status import COINCIDE, NO_VARIANCE, NOT_FINITE, TOO_FEW
from memorize_jax.geometry.unbiased import unbiased_sum

# The unbiased estimate divides by n - 3.
FEWEST_EXAMPLES = 4


class Similarity(NamedTuple):
    """How alike two layers place the same examples; 1 is alike up to rotation and scale.

    Attributes:
      cka: between 0 and 1; near 1 for any two layers of many more features than there are examples.
      cka_debiased: 0 on average where there is nothing in common, so that it can be negative; NaN where `status` says.
      status: sum of flags of `geometry.status`.
    """

    cka: Float[Array, "*L"]
    cka_debiased: Float[Array, "*L"]
    status: Int32[Array, "*L"]

    _repr_html_ = by_field


def cka(points_a: Any, points_b: Any) -> Similarity:
    """Compares two layers on the same n examples by `similarity` of their Gram matrices; batches with `jax.vmap`.

    Args:
      points_a: [n, ...] real numbers of any kind, as all geometry takes them.
      points_b: [n, ...] of the other layer.

    Raises:
      ValueError: what is no real numbers, another number of examples; outside jit also NaN or infinite points.
    """
    points_a, points_b = as_array(points_a), as_array(points_b)
    if len(points_a) != len(points_b):
        raise ValueError(f"expected as many points of both layers, got {len(points_a)} and {len(points_b)}")
    return similarity(*(centered_gram(_floating(points)) for points in (points_a, points_b)))


def _floating(points):
    return to_floating(points.reshape(1, len(points), -1))[0][0]


def centered_gram(points: Float[Array, "n ..."]) -> Float[Array, "n n"]:
    """Inner products of points about their mean, in a unit of length of their own."""
    rows = shifted_layers(lambda own: {"": own.reshape(len(own), -1)}, points)(points)
    return center_gram(inner_products(rows, rows)[0], jnp.ones(len(points), bool))


def center_gram(gram: Float[Array, "*L n n"], is_example: Bool[Array, " n"]) -> Float[Array, "*L n n"]:
    """Moves the origin to the mean of the examples: H K H with H = I - 11'/n; the rows of others become zero."""
    share = is_example / jnp.sum(is_example).astype(gram.dtype)
    with jax.default_matmul_precision("highest"):
        rows = gram @ share
        mean = rows @ share
    centered = gram - rows[..., :, None] - rows[..., None, :] + mean[..., None, None]
    return jnp.where(is_example[:, None] & is_example, centered, 0)


def similarity(
    gram_a: Float[Array, "*L n n"], gram_b: Float[Array, "*L n n"], num_examples: int | Int32[Array, ""] | None = None
) -> Similarity:
    """Compares layers by their Gram matrices K and L of the same examples, by both estimates; batched, jit-able.

        CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))

    With K and L centered, HSIC_0 = tr(KL); the estimate without bias is, with diagonals set to zero,

        HSIC_1 = [tr(KL) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2/(n-2) 1'KL1] / (n(n-3))

    Args:
      gram_a: centered, of `center_gram`; so is `gram_b`.
      num_examples: if some rows are zero because they stand for none.

    References:
      Kornblith et al., "Similarity of neural network representations revisited", 2019 (equations 3 and 4); Song et al.,
      "Feature selection via dependence maximization", 2012 (equation 5).
    """
    count = jnp.asarray(gram_a.shape[-1] if num_examples is None else num_examples, gram_a.dtype)
    (cross, cross_1, _), (a, a_1, rounding_a), (b, b_1, rounding_b) = (
        _hsic(*pair, count) for pair in ((gram_a, gram_b), (gram_a, gram_a), (gram_b, gram_b))
    )
    finite = jnp.isfinite(cross + a + b)
    spread = (a > 0) & (b > 0)
    few = count < FEWEST_EXAMPLES
    varies = (a_1 > rounding_a) & (b_1 > rounding_b)
    status = jnp.where(finite, 0, NOT_FINITE) | jnp.where(finite & ~spread, COINCIDE, 0)
    status |= jnp.where(few, TOO_FEW, 0) | jnp.where(finite & spread & ~few & ~varies, NO_VARIANCE, 0)
    plain = jnp.where(finite & spread, cross / (jnp.sqrt(a) * jnp.sqrt(b)), jnp.nan)
    debiased = jnp.where(status == 0, cross_1 / (jnp.sqrt(a_1) * jnp.sqrt(b_1)), jnp.nan)
    return Similarity(plain, debiased, status.astype(jnp.int32))


def _hsic(gram_a, gram_b, count):
    """Both estimates of HSIC of centered Gram matrices, up to a factor, and what rounding may make of the second.

    Of a centered matrix the rows without the diagonal sum to minus the diagonal.
    """
    diagonals = [jnp.diagonal(gram, axis1=-2, axis2=-1) for gram in (gram_a, gram_b)]
    off = gram_a * gram_b * (1 - jnp.eye(gram_a.shape[-1], dtype=gram_a.dtype))
    # Row by row: rounding grows with the length of a sum.
    off, on = off.sum(-1).sum(-1), (diagonals[0] * diagonals[1]).sum(-1)
    traces = diagonals[0].sum(-1) * diagonals[1].sum(-1)
    return off + on, *unbiased_sum(off, on, traces, count)


@functools.partial(jax.jit, static_argnames=("model", "layers"))
def network_grams(
    model: AnyNetwork,
    variables: dict,
    images: Shaped[Array | np.ndarray, "n ..."],
    is_example: Bool[Array | np.ndarray, " n"],
    statistics: ChannelStatistics | None,
    *,
    layers: tuple[str, ...],
) -> Float[Array, "L n n"]:
    """Centered Gram matrices of the input and of every layer, with memory for them and two blocks of activations.

    Args:
      model: the network.
      variables: params and batch_stats.
      images: as they are.
      is_example: False for images that only fill up the array.
      statistics: standardize the images.
      layers: names of the analyzed layers.
    """
    read = functools.partial(flat_reader(model, statistics, layers), variables)
    widths = [leaf.shape[1] for leaf in jax.eval_shape(read, images[:1]).values()]
    size = examples_per_block(len(images), sum(widths), len(widths))
    number = -(-len(images) // size)
    filled = jnp.concatenate([images, jnp.repeat(images[-1:], number * size - len(images), axis=0)])
    blocks = filled.reshape(number, size, *images.shape[1:])
    found = map_block_pairs(
        shifted_layers(read, blocks[0]), blocks, lambda rows, others, *_: inner_products(rows, others)
    )
    grams = jnp.transpose(found, (2, 0, 3, 1, 4)).reshape(len(widths), number * size, number * size)
    return center_gram(grams[:, : len(images), : len(images)], jnp.asarray(is_example))


same_layers = jax.jit(similarity)
# [A, n, n], [B, n, n] -> [A, B].
all_layers = jax.jit(jax.vmap(jax.vmap(similarity, in_axes=(None, 0, None)), in_axes=(0, None, None)))
