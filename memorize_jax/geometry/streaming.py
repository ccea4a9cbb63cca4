"""All layers of a network too wide to hold at once: a few manifolds at a time, twice."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.grams import assemble_grams, inner_products, reference_of, summarize_manifold
from memorize_jax.geometry.options import prepare_options
from memorize_jax.geometry.pipeline import geometry_of_grams
from memorize_jax.geometry.result import ManifoldGeometry


def streamed_layer_geometry(
    layers_of: Callable[[jax.Array], Mapping[str, jax.Array]],
    inputs: jax.Array,
    *,
    manifolds_at_a_time: int,
    key: jax.Array,
    **options,
) -> ManifoldGeometry:
    """Measures the geometry of every layer without ever holding a whole layer; call it inside `jax.jit`.

    The layers of a few manifolds are computed, reduced and forgotten. Inner products with the centres need the
    centres first, so that every manifold is computed twice: once for its mean, once for its inner products.

    Args:
      layers_of: inputs of one manifold [M, ...] -> {layer: points [M, N_layer]}; batched by vmap.
      inputs: [P, M, ...].
      manifolds_at_a_time: memory is that of all layers of so many manifolds and of the means, P x (sum of N_layer).
      key: PRNG key.
      **options: those of `layer_geometry`.

    Returns:
      ManifoldGeometry, every leaf with a leading axis in the order of the layers; to rounding the same as
      `layer_geometry`'s.

    Raises:
      ValueError: fewer than two manifolds, wrong options.
    """
    num_manifolds, num_examples = inputs.shape[:2]
    if num_manifolds < 2:
        raise ValueError(f"expected at least 2 manifolds, got {num_manifolds}: capacity is about telling them apart")
    shapes = jax.eval_shape(layers_of, jax.ShapeDtypeStruct(inputs.shape[1:], inputs.dtype))
    dtype = jnp.result_type(*(points.dtype for points in shapes.values()))
    options = prepare_options(center_basis=None, shape=(num_manifolds, num_examples, dtype), **options)
    del options["center_basis"]
    mask = jnp.ones((num_manifolds, num_examples), dtype)
    with jax.default_matmul_precision("highest"):
        return _measure(layers_of, inputs, manifolds_at_a_time, key, mask, options)


def _measure(layers_of, inputs, num_at_a_time, key, mask, options):
    def summaries_of(own_inputs):
        return [summarize_manifold(points, mask[0]) for points in layers_of(own_inputs).values()]

    def products_of(item):
        own_inputs, number = item
        points = layers_of(own_inputs).values()
        return [inner_products(x, mask[0], r.means[number], r) for x, r in zip(points, references, strict=True)]

    summaries = chunked_map(summaries_of, inputs, num_at_a_time)
    references = [reference_of(summary, mask) for summary in summaries]
    products = chunked_map(products_of, (inputs, jnp.arange(inputs.shape[0])), num_at_a_time)
    reduced = [
        assemble_grams(own, cross, summary.finite, mask, reference)
        for (own, cross), summary, reference in zip(products, summaries, references, strict=True)
    ]
    return geometry_of_grams(reduced, mask, key, **options)
