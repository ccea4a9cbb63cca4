"""All layers of a network too wide to hold at once: a few manifolds at a time."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, Shaped

from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.grams import assemble_grams, inner_products, origin_of, reference_of, summarize_manifold
from memorize_jax.geometry.joint.blocks import block_of
from memorize_jax.geometry.joint.pipeline import assemble_blocks, joint_geometry_of_blocks
from memorize_jax.geometry.joint.sampling import sample
from memorize_jax.geometry.options import (
    JOINT,
    MEAN_FIELD,
    GeometryOptions,
    joint_options,
    mean_field_options,
    read_options,
)
from memorize_jax.geometry.participation import (
    LayerParticipation,
    offsets_of,
    participation_of_sums,
    stacked,
    sum_of_pairs,
)
from memorize_jax.geometry.pipeline import geometry_of_grams
from memorize_jax.geometry.points import as_array, to_floating
from memorize_jax.geometry.result import JointGeometry, ManifoldGeometry
from memorize_jax.keys import check_key
from memorize_jax.whole import check_whole

# Their layers are held while inner products with all other points are taken.
POINTS_HELD = 1024


def streamed_layer_geometry(
    layers_of: Callable, inputs: Shaped[Array | np.ndarray, "P M ..."], **arguments: Any
) -> ManifoldGeometry:
    """The mean-field part of `streamed_geometries`."""
    return streamed_geometries(layers_of, inputs, **arguments)[0]


def streamed_geometries(
    layers_of: Callable[[Array], Mapping[str, Array]],
    inputs: Shaped[Array | np.ndarray, "P M ..."],
    *,
    manifolds_at_a_time: int,
    key: PRNGKeyArray,
    joint: GeometryOptions | Mapping[str, Any] | None = None,
    options: GeometryOptions | None = None,
    **fields: Any,
) -> tuple[ManifoldGeometry, JointGeometry | None]:
    """Measures the geometry of every layer without ever holding a whole layer; call it inside `jax.jit`.

    The layers of a few manifolds are computed, reduced and forgotten. Inner products with the centers need the
    centers first, so that every manifold is computed twice: once for its mean, once for its inner products.

    Args:
      layers_of: inputs of one manifold [M, ...] -> {layer: points [M, N_layer]}; batched by vmap.
      inputs: of the network, for M examples of each manifold.
      manifolds_at_a_time: memory is that of all layers of so many manifolds and of the means, P x (sum of N_layer).
      joint: options of the joint geometry; None leaves it out. All layers of the classes whose inner products it needs
        together, 1,024 points as a rule, are then held at a time, and computed once more for each such set of classes.
      options: see `GeometryOptions`; its fields can be given as keywords.

    Returns:
      (ManifoldGeometry, JointGeometry or None), every leaf with a leading axis in the order of the layers; to rounding
      the same as `layer_geometry`'s and `layer_joint_geometry`'s.

    Raises:
      ValueError: fewer than two manifolds, layers that are no real numbers or not [M, N_layer], wrong options.
    """
    check_key(key)
    chosen = read_options(options, fields, MEAN_FIELD)
    if chosen.center_basis is not None:
        raise ValueError("expected num_center_components for layers, got center_basis, which belongs to a single one")
    inputs = _read_inputs(inputs, manifolds_at_a_time)
    num_manifolds, num_examples = inputs.shape[:2]
    names, points_of = _reader(layers_of)
    mask = np.ones((num_manifolds, num_examples))
    with jax.default_matmul_precision("highest"):
        origins = [origin_of(points, mask[0], jnp.max(jnp.abs(points))) for points in points_of(inputs[0])]
        dtype = jnp.result_type(*(origin.point for origin in origins))
        mask, shape = mask.astype(dtype), (len(origins), num_manifolds, num_examples, dtype)
        ready = mean_field_options(chosen, shape)
        references, finite = _references(points_of, inputs, manifolds_at_a_time, mask, origins)
        arguments = (points_of, inputs, mask, references, finite)
        found, jointly = _measure(*arguments, manifolds_at_a_time, key, ready), None
        if joint is not None:
            given = joint if isinstance(joint, GeometryOptions) else read_options(None, dict(joint), JOINT)
            jointly = _measure_jointly(*arguments, key, joint_options(given, shape))
    named = lambda result: result and dataclasses.replace(result, layers=tuple(names))
    return named(found), named(jointly)


def streamed_participation(
    layers_of: Callable[[Array], Mapping[str, Array]],
    inputs: Shaped[Array | np.ndarray, "P M ..."],
    *,
    manifolds_at_a_time: int,
) -> LayerParticipation:
    """Measures the participation ratios of every layer without ever holding a whole layer; call it inside `jax.jit`.

    About 1,024 points are held at a time, and all others computed once for each such block. To rounding the same as
    `participation.layer_participation`; arguments of `streamed_geometries`.
    """
    _, points_of = _reader(layers_of)
    inputs = _read_inputs(inputs, manifolds_at_a_time)
    num_manifolds, num_examples = inputs.shape[:2]
    mask = np.ones((num_manifolds, num_examples))
    per_block = max(1, min(num_manifolds, POINTS_HELD // num_examples))
    num_blocks = -(-num_manifolds // per_block)
    # The last block may have places left over; what stands there is not counted.
    blocks = jnp.arange(num_blocks * per_block).reshape(num_blocks, per_block)
    with jax.default_matmul_precision("highest"):
        origins = [origin_of(points, mask[0], jnp.max(jnp.abs(points))) for points in points_of(inputs[0])]
        references, finite = _references(points_of, inputs, manifolds_at_a_time, mask, origins)

        def block(numbers):
            classes = jnp.minimum(numbers, num_manifolds - 1)
            points = jax.vmap(points_of)(inputs[classes])
            held = [offsets_of(x, mask[:per_block], r) for x, r in zip(points, references, strict=True)]
            means = [r.means[classes] for r in references]
            own = [
                jax.vmap(lambda x, mean, r=r: inner_products(x, mask[0], mean, r)[0])(x, mean)
                for x, mean, r in zip(points, means, references, strict=True)
            ]

            def against(item):
                own_inputs, number = item
                # Of no number in this block: then it is a class of another one, with no pair to leave out.
                place = jnp.argmax(numbers == number) + jnp.where(jnp.any(numbers == number), 0, per_block)
                shown = [offsets_of(x, mask[0], r) for x, r in zip(points_of(own_inputs), references, strict=True)]
                counted = (numbers < num_manifolds)[:, None, None]
                return [
                    sum_of_pairs(x, place, (h * counted).reshape(-1, h.shape[-1]))
                    for x, h in zip(shown, held, strict=True)
                ]

            pairs = chunked_map(against, (inputs, jnp.arange(num_manifolds)), manifolds_at_a_time)
            return [jnp.sum(each) for each in pairs], [jnp.sum(h**2, axis=2) for h in held], own

        pairs, squares, own = jax.lax.map(block, blocks)
        whole = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:num_manifolds]
        return stacked(
            [
                participation_of_sums(whole(square), jnp.sum(pair), whole(gram), mask, fine)
                for square, pair, gram, fine in zip(squares, pairs, own, finite, strict=True)
            ]
        )


def _read_inputs(inputs, manifolds_at_a_time):
    check_whole("manifolds_at_a_time", manifolds_at_a_time, least=1)
    inputs = jnp.asarray(as_array(inputs, "inputs"))
    if inputs.ndim < 2 or not all(inputs.shape[:2]):
        raise ValueError(f"expected inputs [P, M, ...], got shape {list(inputs.shape)}")
    if len(inputs) < 2:
        raise ValueError(f"expected at least 2 manifolds, got {len(inputs)}: capacity is about telling them apart")
    return inputs


def _reader(layers_of):
    """Names of the layers, once the function beside them was called: inputs -> the points of each."""
    names = []

    def points_of(own_inputs):
        shown = layers_of(own_inputs)
        if not isinstance(shown, Mapping) or not shown:
            got = "none" if isinstance(shown, Mapping) else type(shown).__name__
            raise ValueError(f"expected layers by name, {{name: points}}, from layers_of, got {got}")
        names[:] = shown
        return [to_floating([_read_points(shown[name], name, len(own_inputs))])[0][0] for name in names]

    return names, points_of


def _read_points(points, name, num_examples):
    points = as_array(points, f"points of layer {name!r}")
    if points.ndim != 2 or len(points) != num_examples:
        expected = f"expected points [{num_examples}, features] of layer {name!r}"
        raise ValueError(f"{expected}, got shape {list(points.shape)}; reshape(len(x), -1) makes vectors of maps")
    return points


def _references(points_of, inputs, num_at_a_time, mask, origins):
    def summaries_of(own_inputs):
        return [summarize_manifold(x, mask[0], o) for x, o in zip(points_of(own_inputs), origins, strict=True)]

    summaries = chunked_map(summaries_of, inputs, num_at_a_time)
    references = [reference_of(summary, mask, origin) for summary, origin in zip(summaries, origins, strict=True)]
    return references, [summary.finite for summary in summaries]


def _measure(points_of, inputs, mask, references, finite, num_at_a_time, key, ready):
    def products_of(item):
        own_inputs, number = item
        points = points_of(own_inputs)
        return [inner_products(x, mask[0], r.means[number], r) for x, r in zip(points, references, strict=True)]

    products = chunked_map(products_of, (inputs, jnp.arange(inputs.shape[0])), num_at_a_time)
    reduced = [
        assemble_grams(own, cross, fine, mask, reference)
        for (own, cross), fine, reference in zip(products, finite, references, strict=True)
    ]
    return geometry_of_grams(reduced, mask, key, ready)


def _measure_jointly(points_of, inputs, mask, references, finite, key, ready):
    given = ready.name if ready.dichotomies is None else ready.dichotomies
    draws = sample(key, ready.plan, mask.shape[1], mask.dtype, dichotomies=given, draws=ready.draws)

    def block(classes):
        points = jax.vmap(points_of)(inputs[classes])
        return [block_of(x, mask[: len(classes)], r, ready.center) for x, r in zip(points, references, strict=True)]

    reduced = [
        assemble_blocks(found, reference, fine, ready.center)
        for found, reference, fine in zip(jax.lax.map(block, draws.blocks), references, finite, strict=True)
    ]
    return joint_geometry_of_blocks(reduced, mask, draws, ready)
