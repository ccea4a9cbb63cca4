"""All measures of one layer of many manifolds: each product is taken once, and none that need not be held."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.center_search import MANY
from memorize_jax.geometry.centers import CenterStructure, center_structure
from memorize_jax.geometry.frames import frames_without
from memorize_jax.geometry.grams import (
    Grams,
    Mask,
    Reference,
    assemble_grams,
    offsets_from_center,
    reference_of_points,
)
from memorize_jax.geometry.joint.pipeline import blocks_about, joint_geometry_of_blocks
from memorize_jax.geometry.joint.sampling import sample
from memorize_jax.geometry.layer_by_layer import joint_of_layers, mean_field_of_layers
from memorize_jax.geometry.options import GeometryOptions, JointOptions, MeanFieldOptions
from memorize_jax.geometry.participation import (
    LayerParticipation,
    filled_up,
    participation_about,
    participation_of_points,
    stacked,
)
from memorize_jax.geometry.pipeline import geometry_of_frames, with_given
from memorize_jax.geometry.result import JointGeometry, ManifoldGeometry
from memorize_jax.threads import one_thread

# Numbers of shared directions are rounded up to a multiple of this, so that layers share their programs.
COLUMNS = 32


class LayerGeometries(NamedTuple):
    """Every leaf has an axis of a single layer."""

    mean_field: ManifoldGeometry
    joint: JointGeometry | None
    participation: LayerParticipation


def geometries_of_one_layer(
    points: Float[Array, "P M N"],
    mask: Mask,
    key: PRNGKeyArray,
    mean_field: MeanFieldOptions,
    joint: JointOptions | None,
) -> LayerGeometries:
    """Measures mean-field geometry, joint geometry and participation ratios, to rounding as their own functions do.

    Offsets meet the shared directions, [P, M, K], once these are known, and never all centers, [P, M, P]. Not for jit:
    the number of directions is read in between. Up to `center_search.MANY` manifolds it is the programs of those
    functions, so that rounding does not lead a search elsewhere.

    Raises:
      ValueError: more center directions to be removed than the centers have.
    """
    # Threads of LAPACK would wait for those of jax.
    with one_thread():
        if len(points) <= MANY:
            found = mean_field_of_layers((points,), mask, key, mean_field)
            jointly = None if joint is None else joint_of_layers((points,), mask, key, joint)
            participation = stacked([participation_of_points(*filled_up(points, mask))])
            return jax.block_until_ready(LayerGeometries(found, jointly, participation))
        reference, finite = _reference(points, mask, mean_field.center_basis)
        own = _own_products(points, mask, reference)
        options = mean_field.static
        structure = center_structure(
            _gram(reference.centers),
            key=key,
            num_components=options.num_center_components,
            min_components=1 if options.compat == "mftma" else 0,
            neighbors=options.vary_components,
        )
        if reference.centers_before is not None and mean_field.center_basis is not None:
            structure = with_given(structure, reference.centers_before, mean_field.center_basis)
        structure = _narrowed(structure)
        traced = (structure, key, mean_field.draws, mean_field.kappa)
        found = _mean_field(points, mask, reference, finite, own, *traced, options=options)
        if mean_field.center_basis is not None:
            reference, finite = _reference(points, mask, None)
            own = _own_products(points, mask, reference)
        participation = _participation(points, mask, reference, finite, own)
        jointly = None
        if joint is not None:
            traced = (key, joint.draws, joint.dichotomies, joint.kappa)
            static = {"plan": joint.plan, "name": joint.name, "center": joint.center}
            jointly = _joint(points, mask, reference, finite, *traced, **static)
        return jax.block_until_ready(LayerGeometries(found, jointly, stacked([participation])))


@jax.jit
@jax.default_matmul_precision("highest")
def _reference(points, mask, center_basis) -> tuple[Reference, Bool[Array, " P"]]:
    return reference_of_points(points, mask, center_basis)


@jax.jit
@jax.default_matmul_precision("highest")
def _gram(centers):
    return centers @ centers.T


@jax.jit
@jax.default_matmul_precision("highest")
def _own_products(points, mask, reference):
    def products_of(item):
        own, present, mean = item
        offsets = offsets_from_center(own, present, mean, reference)
        return offsets @ offsets.T

    return chunked_map(products_of, (points, mask, reference.means), None)


def _narrowed(structure: CenterStructure) -> CenterStructure:
    """Leaves out columns of no direction."""
    removed = [structure.coefficients, *(() if structure.neighbors is None else structure.neighbors)]
    used = max(int(jnp.max(jnp.sum(jnp.any(each != 0, axis=0)))) for each in removed)
    width = min(-(-used // COLUMNS) * COLUMNS, structure.coefficients.shape[1])
    neighbors = None if structure.neighbors is None else structure.neighbors[..., :width]
    return structure._replace(coefficients=structure.coefficients[:, :width], neighbors=neighbors)


@functools.partial(jax.jit, static_argnames="options")
@jax.default_matmul_precision("highest")
def _mean_field(points, mask, reference, finite, own, structure, key, draws, kappa, *, options: GeometryOptions):
    grams = assemble_grams(own, None, finite, mask, reference)
    removed = [structure.coefficients, *(() if structure.neighbors is None else structure.neighbors)]
    frames = [_frames(points, mask, reference, grams, coefficients, options.frame) for coefficients in removed]
    frames = jax.tree.map(lambda *leaves: jnp.stack(leaves)[None], *frames)
    one = jax.tree.map(lambda leaf: leaf[None], structure)
    return geometry_of_frames(one, frames, finite[None], mask, key, MeanFieldOptions(options, draws, kappa, None))


def _frames(points, mask, reference, grams: Grams, coefficients, frame):
    directions = coefficients.T @ reference.centers

    def shares_of(item):
        own, present, mean = item
        return offsets_from_center(own, present, mean, reference) @ directions.T

    shared = chunked_map(shares_of, (points, mask, reference.means), None)
    return frames_without(grams, reference.centers @ directions.T, shared, mask, frame=frame)


@jax.jit
@jax.default_matmul_precision("highest")
def _participation(points, mask, reference, finite, own):
    return participation_about(points, mask, reference, finite, own)


@functools.partial(jax.jit, static_argnames=("plan", "name", "center"))
@jax.default_matmul_precision("highest")
def _joint(points, mask, reference, finite, key, draws, dichotomies, kappa, *, plan, name, center):
    ready = JointOptions(draws, dichotomies, kappa, plan, name, center)
    given = name if dichotomies is None else dichotomies
    sampled = sample(key, plan, mask.shape[1], mask.dtype, dichotomies=given, draws=draws)
    blocks = blocks_about(points, mask, reference, finite, sampled.blocks, center)
    return joint_geometry_of_blocks([blocks], mask, sampled, ready)
