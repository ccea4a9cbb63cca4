"""All layers of a network too wide to hold at once: a few manifolds at a time, twice."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.grams import assemble_grams, inner_products, origin_of, reference_of, summarize_manifold
from memorize_jax.geometry.options import prepare_options
from memorize_jax.geometry.pipeline import geometry_of_grams
from memorize_jax.geometry.points import as_array, to_floating
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
      ValueError: fewer than two manifolds, layers that are no real numbers, wrong options.
    """
    num_manifolds, num_examples = inputs.shape[:2]
    if num_manifolds < 2:
        raise ValueError(f"expected at least 2 manifolds, got {num_manifolds}: capacity is about telling them apart")
    names = []

    def points_of(own_inputs):
        shown = layers_of(own_inputs)
        names[:] = shown
        read = lambda name: as_array(shown[name], f"points of layer {name!r}")
        return [to_floating([read(name)])[0][0] for name in names]

    mask = np.ones((num_manifolds, num_examples))
    with jax.default_matmul_precision("highest"):
        origins = [origin_of(points, mask[0], jnp.max(jnp.abs(points))) for points in points_of(inputs[0])]
        dtype = jnp.result_type(*(origin.point for origin in origins))
        shape = (len(origins), num_manifolds, num_examples, dtype)
        options = prepare_options(center_basis=None, shape=shape, **options)
        del options["center_basis"]
        found = _measure(points_of, inputs, manifolds_at_a_time, key, mask.astype(dtype), origins, options)
    return dataclasses.replace(found, layers=tuple(names))


def _measure(points_of, inputs, num_at_a_time, key, mask, origins, options):
    def summaries_of(own_inputs):
        return [summarize_manifold(x, mask[0], o) for x, o in zip(points_of(own_inputs), origins, strict=True)]

    def products_of(item):
        own_inputs, number = item
        points = points_of(own_inputs)
        return [inner_products(x, mask[0], r.means[number], r) for x, r in zip(points, references, strict=True)]

    summaries = chunked_map(summaries_of, inputs, num_at_a_time)
    references = [reference_of(summary, mask, origin) for summary, origin in zip(summaries, origins, strict=True)]
    products = chunked_map(products_of, (inputs, jnp.arange(inputs.shape[0])), num_at_a_time)
    reduced = [
        assemble_grams(own, cross, summary.finite, mask, reference)
        for (own, cross), summary, reference in zip(products, summaries, references, strict=True)
    ]
    return geometry_of_grams(reduced, mask, key, **options)
