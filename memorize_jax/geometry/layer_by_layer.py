"""Geometry of few points outside of jit: one small program of few shapes, called layer after layer.

A program for all layers at once would be compiled anew for every number of layers; see `filling` for the other sizes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from memorize_jax.geometry import compiling
from memorize_jax.geometry.filling import alone_on_processor, fill_up, is_small
from memorize_jax.geometry.grams import Grams, Mask, reduce_points, reference_of_points
from memorize_jax.geometry.joint.blocks import Blocks
from memorize_jax.geometry.joint.pipeline import blocks_about, joint_geometry_of_blocks, joint_geometry_of_layers
from memorize_jax.geometry.joint.sampling import Draws, sample, sample_normals
from memorize_jax.geometry.options import JointOptions, MeanFieldOptions
from memorize_jax.geometry.pipeline import geometry_of_grams, geometry_of_layers, sample_draws
from memorize_jax.geometry.result import JointGeometry, ManifoldGeometry
from memorize_jax.keys import stream


def mean_field_of_layers(
    layers: tuple[Float[Array, "P M _"], ...], mask: Mask, key: PRNGKeyArray, ready: MeanFieldOptions
) -> ManifoldGeometry:
    """`pipeline.geometry_of_layers`, to rounding: layer after layer where that is possible, else as one program."""
    static = ready.static
    given = static.num_center_components is not None or ready.center_basis is not None
    usual = static.frame == "rank" and static.compat is None and not static.vary_components and static.devices == 1
    if usual and not given and _is_possible(layers, mask, key, ready):
        return _mean_field_layer_by_layer(layers, mask, key, ready)
    return geometry_of_layers(layers, mask, key, ready)


def joint_of_layers(
    layers: tuple[Float[Array, "P M _"], ...], mask: Mask, key: PRNGKeyArray, ready: JointOptions
) -> JointGeometry:
    """`joint.pipeline.joint_geometry_of_layers`, to rounding: layer after layer where that is possible."""
    if ready.plan.devices == 1 and _is_possible(layers, mask, key, ready):
        return _joint_layer_by_layer(layers, mask, key, ready)
    return joint_geometry_of_layers(layers, mask, key, ready)


def _is_possible(layers, mask, key, ready):
    return alone_on_processor(layers, mask, key, ready) and is_small(mask)


def _mean_field_layer_by_layer(points, mask, key, ready):
    num_manifolds, num_examples = mask.shape
    draws = ready.draws
    if draws is None:
        draws = _draws(stream(key, "draws"), num_manifolds, ready.static.num_draws, num_examples, mask.dtype)
    filled = fill_up(points, mask)
    more = filled.mask.shape[1] - num_examples
    # The last number of a draw belongs to the center.
    draws = np.insert(np.asarray(draws), [num_examples] * more, 0, axis=-1)
    static = ready.static
    found = [
        _mean_field(_reduced(own, filled.mask), filled.mask, key, draws, ready.kappa, options=static)
        for own in filled.points
    ]
    return _together(found)


def _joint_layer_by_layer(points, mask, key, ready):
    normals = ready.draws
    if normals is None:
        normals = _normals(key, ready.plan, mask.shape[1], mask.dtype)
    filled = fill_up(points, mask)
    more = filled.mask.shape[1] - mask.shape[1]
    normals = np.pad(np.asarray(normals), [(0, 0)] * (normals.ndim - 1) + [(0, more)])
    draws = _joint_draws(key, normals, ready.dichotomies, plan=ready.plan, name=ready.name)
    static = {"plan": ready.plan, "name": ready.name, "center": ready.center}
    found = []
    for own in filled.points:
        blocks = _blocks(own, filled.mask, draws.blocks, center=ready.center)
        found.append(_joint(blocks, filled.mask, draws, ready.kappa, **static))
    return _together(found)


def _together(layers):
    joined = [np.concatenate(leaves) for leaves in zip(*map(jax.tree.leaves, layers), strict=True)]
    return jax.tree.unflatten(jax.tree.structure(layers[0]), map(jnp.asarray, joined))


_draws = functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))(sample_draws)


@jax.jit
@jax.default_matmul_precision("highest")
def _reduced(points, mask) -> Grams:
    return reduce_points(points, mask)


@functools.partial(compiling.jit, static_argnames="options")
@jax.default_matmul_precision("highest")
def _mean_field(grams, mask, key, draws, kappa, *, options):
    return geometry_of_grams([grams], mask, key, MeanFieldOptions(options, draws, kappa, None))


_normals = functools.partial(jax.jit, static_argnums=(1, 2, 3))(sample_normals)


@functools.partial(jax.jit, static_argnames=("plan", "name"))
def _joint_draws(key, normals, dichotomies, *, plan, name) -> Draws:
    given = name if dichotomies is None else dichotomies
    return sample(key, plan, normals.shape[-1], normals.dtype, dichotomies=given, draws=normals)


@functools.partial(jax.jit, static_argnames="center")
@jax.default_matmul_precision("highest")
def _blocks(points, mask, blocks, *, center) -> tuple[Blocks, Array]:
    return blocks_about(points, mask, *reference_of_points(points, mask), blocks, center)


@functools.partial(compiling.jit, static_argnames=("plan", "name", "center"))
@jax.default_matmul_precision("highest")
def _joint(blocks, mask, draws, kappa, *, plan, name, center):
    return joint_geometry_of_blocks([blocks], mask, draws, JointOptions(None, None, kappa, plan, name, center))
