"""From points, or inner products, to the mean-field geometry of all layers as one program."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from memorize_jax.geometry import compiling
from memorize_jax.geometry import status as status_flags
from memorize_jax.geometry.anchors import AnchorStatistics, statistics_of_anchors
from memorize_jax.geometry.batching import chunked_map, over_layers
from memorize_jax.geometry.center_search import MANY
from memorize_jax.geometry.centers import (
    CenterStructure,
    center_structure,
    check_num_components,
    correlation_of,
    max_num_components,
)
from memorize_jax.geometry.frames import Frames, build_frames
from memorize_jax.geometry.grams import Grams, Mask, reduce_points, reference_of_points
from memorize_jax.geometry.options import MeanFieldOptions, is_orthonormal
from memorize_jax.geometry.qp.callback import manifolds_at_a_time, runs_on_host
from memorize_jax.geometry.result import ManifoldGeometry
from memorize_jax.keys import stream


def sample_draws(
    key: PRNGKeyArray, num_manifolds: int, num_draws: int, num_examples: int, dtype: Any
) -> Float[Array, "P n _"]:
    """Samples the Gaussian vectors of the manifolds, whatever layer they are of; the last number is the center's."""
    # A key for each, so that adding manifolds changes no other's draws.
    keys = jax.vmap(lambda p: jax.random.fold_in(key, p))(jnp.arange(num_manifolds))
    return jax.vmap(lambda k: jax.random.normal(k, (num_draws, num_examples + 1), dtype))(keys)


def _statistics(frames, draws, kappa, options) -> AnchorStatistics:
    """Solves the programs of all variants, layers and manifolds, `chunk` of them at a time; leaves [variants L, P]."""
    num_layers, num_variants, num_manifolds = frames.rank.shape
    # The variants of a manifold follow one another, as their programs are alike.
    flat = jax.tree.map(lambda leaf: leaf.swapaxes(1, 2).reshape(-1, *leaf.shape[3:]), frames)

    def one(item):
        index, frame, projector, num_directions = item
        # Layers and variants share their draws, so they are looked up rather than copied.
        raw = draws[index // num_variants % num_manifolds]
        direction = raw[:, :-1] @ projector
        own = jnp.concatenate([direction, raw[:, -1:]], axis=1)
        norm = jnp.linalg.norm(direction, axis=1)
        spanned = {"num_directions": num_directions, "direction_norm": norm}
        return statistics_of_anchors(frame, own, kappa=kappa, options=options, **spanned)

    items = (jnp.arange(num_layers * num_manifolds * num_variants), flat.frame, flat.projector, flat.num_directions)
    chunk = options.chunk
    if chunk is None and options.solver == "host":
        num_draws, num_coordinates = draws.shape[1:]
        sizes = num_layers * num_manifolds, num_variants * num_draws, num_coordinates
        chunk = num_variants * manifolds_at_a_time(*sizes)
    found = chunked_map(one, items, chunk, options.devices)
    apart = lambda leaf: jnp.moveaxis(leaf.reshape(num_layers, num_manifolds, num_variants), 2, 0)
    return jax.tree.map(lambda leaf: apart(leaf).reshape(-1, num_manifolds), found)


def geometry_of_layers(
    layers: tuple[Float[Array, "P M _"], ...], mask: Mask, key: PRNGKeyArray, ready: MeanFieldOptions
) -> ManifoldGeometry:
    """Computes the geometry of several layers that show the same examples; leaves have a leading layer axis.

    Outside jit, ValueError for more center directions to be removed than a layer's centers have.
    """
    if num_components := ready.static.num_center_components:
        for points in layers:
            check_num_components(_centers_gram(points, mask), num_components)
    return _geometry_of_layers(layers, mask, key, ready.draws, ready.kappa, ready.center_basis, options=ready.static)


@jax.jit
@jax.default_matmul_precision("highest")
def _centers_gram(points, mask):
    centers = reference_of_points(points, mask)[0].centers
    return centers @ centers.T


@functools.partial(compiling.jit, static_argnames="options")
@jax.default_matmul_precision("highest")
def _geometry_of_layers(layers, mask, key, draws, kappa, center_basis, *, options):
    reduced = over_layers(lambda points: reduce_points(points, mask, center_basis=center_basis), layers)
    return geometry_of_grams(reduced, mask, key, MeanFieldOptions(options, draws, kappa, center_basis))


def geometry_of_grams(
    reduced: Sequence[Grams], mask: Mask, key: PRNGKeyArray, ready: MeanFieldOptions
) -> ManifoldGeometry:
    """`geometry_of_layers` of layers that have been reduced to inner products."""
    options = ready.static
    grams = jax.tree.map(lambda *leaves: jnp.stack(leaves), *reduced)

    def structure_of(centers):
        return center_structure(
            jax.lax.stop_gradient(centers),
            key=key,
            num_components=options.num_center_components,
            min_components=1 if options.compat == "mftma" else 0,
            neighbors=options.vary_components,
            on_host=None if options.solver == "host" else False,
        )

    def frames_of(item):
        one_layer, structure = item
        removed = [structure.coefficients, *(() if structure.neighbors is None else structure.neighbors)]
        frames = [build_frames(one_layer, coefficients, mask, frame=options.frame) for coefficients in removed]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *frames)

    # On an accelerator the searches of all layers are one batch, as they cost so many steps, not so much work; on the
    # host too, so that they share the cores. Of many centers one search is enough.
    many = len(mask) > MANY
    together = 1 if many else len(reduced) if options.solver == "host" else None
    structure = chunked_map(structure_of, grams.centers, together, options.devices)
    if (basis := ready.center_basis) is not None and grams.centers_before is not None:
        structure = jax.vmap(lambda own, before: with_given(own, before, basis))(structure, grams.centers_before)
    frames = chunked_map(frames_of, (grams, structure), 1 if many else None, options.devices)
    return geometry_of_frames(structure, frames, grams.finite, mask, key, ready)


def with_given(
    structure: CenterStructure, centers_before: Float[Array, "P P"], center_basis: Float[Array, "_ _"]
) -> CenterStructure:
    """A structure of centers that the caller's own directions were removed from: their number, and what was before."""
    number = jnp.round(jnp.sum(center_basis**2))
    number = jnp.where(jnp.isfinite(number), number, 0).astype(jnp.int32)
    return structure._replace(num_components=number, center_correlation=correlation_of(centers_before))


def geometry_of_frames(
    structure: CenterStructure,
    frames: Frames,
    finite: Bool[Array, "L P"],
    mask: Mask,
    key: PRNGKeyArray,
    ready: MeanFieldOptions,
) -> ManifoldGeometry:
    """Solves the programs of all layers, [L, variants] frames for K and for its neighbors."""
    num_manifolds, num_examples = mask.shape
    options, draws = ready.static, ready.draws
    if draws is None:
        draws = sample_draws(stream(key, "draws"), num_manifolds, options.num_draws or 0, num_examples, mask.dtype)
    num_layers, num_variants = frames.rank.shape[:2]
    # Other numbers of directions are more layers: one program, and the same draws.
    statistics = _statistics(frames, draws, ready.kappa, options)
    frames = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1).reshape(-1, *leaf.shape[2:]), frames)
    fit = jnp.asarray(ready.kappa) >= 0
    if ready.center_basis is not None:
        fit &= is_orthonormal(ready.center_basis)
    if ready.draws is not None:
        fit &= jnp.any(draws != 0)
    flags = status_flags.flags(
        jnp.tile(finite, (num_variants, 1)),
        *(frames.center_norm, frames.retained, statistics.mean_kkt_residual, statistics.radius, fit),
    )
    capacity = jnp.where((flags & status_flags.INVALID) != 0, jnp.nan, statistics.capacity)
    varied = 1 / jnp.mean(1 / capacity.reshape(num_variants, -1, num_manifolds)[1:], axis=-1)
    # Two centers have no direction to spare, so that both numbers would be K.
    has_neighbors = num_variants > 1 and max_num_components(num_manifolds) > 0
    fewer, more = varied if has_neighbors else jnp.full((2, num_layers), jnp.nan, mask.dtype)
    frames, statistics, flags = jax.tree.map(lambda leaf: leaf[:num_layers], (frames, statistics, flags))
    invalid = (flags & status_flags.INVALID) != 0
    blank = lambda value: jnp.where(invalid, jnp.nan, value)
    finite_alone = lambda value: jnp.where(jnp.all(finite, axis=-1, keepdims=True), value, jnp.nan)
    fitting = lambda value: jnp.where(fit, value, jnp.nan)
    return ManifoldGeometry(
        capacity=blank(statistics.capacity),
        radius=blank(statistics.radius),
        dimension=blank(statistics.dimension),
        center_correlation=structure.center_correlation,
        num_center_components=structure.num_components,
        residual_correlation=fitting(structure.residual_correlation),
        center_cost=fitting(structure.cost),
        capacity_fewer_components=fewer,
        capacity_more_components=more,
        retained_center_norm=fitting(frames.retained),
        capacity_standard_error=blank(statistics.capacity_standard_error),
        kkt_residual=finite_alone(statistics.kkt_residual),
        active_fraction=blank(statistics.active_fraction),
        center_norm=finite_alone(frames.center_norm),
        rank=frames.rank,
        num_examples=jnp.broadcast_to(jnp.sum(mask, axis=1).astype(jnp.int32), flags.shape),
        num_draws=jnp.full(flags.shape[:1], draws.shape[1], jnp.int32),
        on_host=jnp.full(flags.shape[:1], runs_on_host(options.solver)),
        status=flags,
    )
