"""From points to the joint geometry of all layers as one program."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from memorize_jax.geometry import compiling
from memorize_jax.geometry import status as status_flags
from memorize_jax.geometry.batching import chunked_map, over_layers
from memorize_jax.geometry.grams import Mask, Reference, reference_of_points
from memorize_jax.geometry.joint.blocks import Block, Blocks, block_of, origin_and_size
from memorize_jax.geometry.joint.cone import Projections, Root, penalty_of, project, root_of, squared_lengths
from memorize_jax.geometry.joint.effective import Anchors, Forms, anchors_of, forms_of, mean_anchors
from memorize_jax.geometry.joint.rounding import is_rounded
from memorize_jax.geometry.joint.sampling import Draws, Plan, sample, signs_of
from memorize_jax.geometry.options import JointOptions
from memorize_jax.geometry.qp.callback import runs_on_host
from memorize_jax.geometry.result import JointGeometry

# Share of the rank of the points that n* should stay below. Points in general position take half of the rank as soon as
# they are as many as it; from nine tenths on a bias is seen (docs/math.md).
AMPLE, SATURATED = 2 / 3, 0.9
# Draws that tell about where n* is.
PILOT_DRAWS = 16
# Blocks whose programs share a call of the host, where there are so many.
BLOCKS_TOGETHER = 8


class _Measured(NamedTuple):
    squares: Float[Array, " d"]  # ||v||^2
    lengths: Float[Array, " d"]  # ||t||^2
    shares: Float[Array, "d B"]  # of the classes in it
    weights: Float[Array, "d B M"]  # of points of unit length
    signs: Float[Array, "d B M"]
    linear: Float[Array, "d B M"]
    residual: Float[Array, " d"]


class _Program(NamedTuple):
    """What the programs of one block depend on beside the draws."""

    root: Root
    norms: Float[Array, "B M"]
    margin: Float[Array, ""]

    def of(self, draws: Draws, num_classes, dichotomies):
        """Arguments of `cone.project` for draws of P' classes, points in one axis: root, normals, signs, margins."""
        present = (self.norms > 0).astype(self.norms.dtype)
        signs = signs_of(draws, present, num_classes, dichotomies=dichotomies)
        margins = self.margin / jnp.where(self.norms > 0, self.norms, 1)
        flat = (len(signs), -1)
        return self.root, draws.normals.reshape(flat), signs.reshape(flat), margins.reshape(-1)


def _measure(program: _Program, draws: Draws, num_classes, penalty, dichotomies, solver) -> _Measured:
    """Projects the draws of one block."""
    arguments = program.of(draws, num_classes, dichotomies)
    # custom_vjp hides what a function returns.
    found: Projections = project(*arguments, penalty, solver)  # pyright: ignore[reportAssignmentType]
    signs, weights, linear = (each.reshape(draws.normals.shape) for each in (arguments[2], found.weights, found.linear))
    shares = jnp.sum(weights * linear, axis=2)
    lengths = squared_lengths(program.root, arguments[1])
    return _Measured(found.squares, lengths, shares, weights, signs, linear, found.residual)


def _try_few(program: _Program, draws: Draws, plan: Plan, dichotomies):
    """What a few draws of the first block tell: P', as many classes as leave n* well below the rank; the penalty."""
    few = jax.tree.map(lambda leaf: leaf[:PILOT_DRAWS], draws._replace(blocks=None))

    def look(num_classes):
        arguments = program.of(few, num_classes, dichotomies)
        penalty = penalty_of(*arguments, plan.solver)
        if not plan.adaptive:
            return num_classes, penalty, jnp.zeros(())
        found: Projections = project(*arguments, penalty, plan.solver)  # pyright: ignore[reportAssignmentType]
        # Where points fill their dimensions, weights of dependent ones may be so large that rounding decides ||v||^2.
        # Without a margin it is at most ||t||^2.
        normals, margins = arguments[1], arguments[3]
        lengths = squared_lengths(program.root, normals)
        squares = jnp.where(jnp.any(margins > 0), found.squares, jnp.minimum(found.squares, lengths))
        return num_classes, penalty, _share_of_rank(squares, lengths)

    def too_many(carry):
        num_classes, _, share = carry
        return (share > AMPLE) & (num_classes > 2)

    def fewer(carry):
        num_classes, _, share = carry
        fitting = jnp.floor(num_classes * AMPLE / share).astype(jnp.int32)
        return look(jnp.maximum(jnp.minimum(fitting, num_classes - 1), 2))

    return jax.lax.while_loop(too_many, fewer, look(jnp.int32(plan.block_size)))[:2]


def _share_of_rank(squares, lengths):
    """n* over the rank, about: by the draws' own lengths, whose mean square is far from the rank if that is small."""
    return jnp.sum(squares) / jnp.sum(lengths)


def _standard_error_of_mean(squares, plan: Plan):
    """Standard error of the mean of [S, d] draws, of which blocks share the classes.

    Each block draws classes of its own, and only a whole round takes all of them: means of rounds are independent. What
    they vary beyond their draws is the choice of classes that go together; a single round cannot show it.
    """
    num_blocks, per_block = squares.shape
    num_rounds = num_blocks // -(-plan.num_manifolds // plan.block_size)
    spread = jnp.sum((squares - jnp.mean(squares, axis=1, keepdims=True)) ** 2)
    within = spread / (squares.size * num_blocks * (per_block - 1)) if per_block > 1 else 0.0
    if num_rounds > 1:
        between = jnp.var(jnp.mean(squares.reshape(num_rounds, -1), axis=1), ddof=1) / num_rounds
        # A few rounds vary by chance: less than two standard deviations of that are no evidence.
        within = jnp.where(between > within * (1 + 2 * (2 / (num_rounds - 1)) ** 0.5), between, within)
    elif per_block < 2:
        within = jnp.var(squares, ddof=1) / squares.size if num_blocks > 1 else jnp.nan
    return jnp.sqrt(within)


def _forms_in_chunks(anchors: Anchors, centers, gram, linear, chunk) -> Forms:
    if chunk is None:
        return forms_of(anchors, centers, gram, linear)
    one = lambda draw: forms_of(jax.tree.map(lambda leaf: leaf[None], draw[0]), centers, gram, draw[1][None])
    return jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0), chunked_map(one, (anchors, linear), chunk))


def _blocks_at_a_time(plan: Plan):
    """On the host a few share a call, and so the cores; the last is no smaller than the others."""
    num_calls = -(-plan.num_blocks // BLOCKS_TOGETHER) if plan.solver == "host" else plan.num_blocks
    return -(-plan.num_blocks // num_calls)


def _geometry_of_layer(blocks: Blocks, margin, draws: Draws, plan: Plan, dichotomies, counts) -> JointGeometry:
    at_a_time = _blocks_at_a_time(plan)
    roots = chunked_map(lambda gram: root_of(gram, plan.solver), blocks.block.gram, at_a_time, plan.devices)
    first = jax.tree.map(lambda leaf: leaf[0], (roots, blocks.block.norms, draws))
    program = _Program(first[0], first[1], margin)
    num_classes, penalty = _try_few(jax.lax.stop_gradient(program), first[2], plan, dichotomies)
    found = chunked_map(
        lambda item: _measure(
            _Program(item[0], item[1], margin), item[2], num_classes, penalty, dichotomies, plan.solver
        ),
        (roots, blocks.block.norms, draws),
        at_a_time,
        plan.devices,
    )
    num_features = jnp.mean(found.squares)
    capacity = num_classes / num_features
    # Only the capacity carries a gradient.
    fixed, gram, norms = jax.lax.stop_gradient((found, blocks.block.gram, blocks.block.norms))
    anchors = jax.vmap(anchors_of)(fixed.weights, fixed.signs, norms)
    centers = mean_anchors(anchors, draws.blocks, plan.num_manifolds)
    items = (anchors, centers[draws.blocks], gram, fixed.linear)
    forms = chunked_map(lambda item: _forms_in_chunks(*item, chunk=plan.chunk), items, 1, plan.devices)
    total = jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0), forms)
    num_draws = found.squares.size
    axes, shared, fixed_features = total.axes / num_draws, total.shared / num_draws, jnp.mean(fixed.squares)
    aligned = [each / jnp.maximum(total.pairs, 1) for each in (total.center, total.axis, total.center_axis)]
    taken = jnp.zeros(plan.num_manifolds, norms.dtype).at[draws.blocks].add(jnp.sum(anchors.taking_part, axis=1))
    shares = jnp.zeros_like(taken).at[draws.blocks].add(jnp.sum(fixed.shares, axis=1))
    rank = first[0].rank
    residual = jnp.mean(fixed.residual)
    saturated = _share_of_rank(fixed.squares, fixed.lengths) > SATURATED
    num_active = jnp.sum(fixed.weights != 0)
    rounded = is_rounded(num_active / num_draws, jax.lax.stop_gradient(roots), blocks.block)
    fit = ~blocks.finite | ((margin >= 0) & (~jnp.any(norms > 0) | jnp.any(fixed.lengths > 0)))
    flags = status_flags.joint_flags(blocks.finite, jnp.any(norms > 0), residual, saturated, rounded, fit)
    blank = lambda value: jnp.where((flags & status_flags.INVALID) != 0, jnp.nan, value)
    return JointGeometry(
        capacity=blank(capacity),
        capacity_standard_error=blank(
            jax.lax.stop_gradient(capacity) * _standard_error_of_mean(fixed.squares, plan) / fixed_features
        ),
        class_capacity=blank(taken / shares),
        radius=blank(jnp.sqrt(shared / (axes - shared))),
        dimension=blank(axes / num_classes),
        utility=blank(shared / fixed_features),
        center_alignment=blank(aligned[0][0]),
        axis_alignment=blank(aligned[1][0]),
        center_axis_alignment=blank(aligned[2][0]),
        center_alignment_raw=blank(aligned[0][1]),
        axis_alignment_raw=blank(aligned[1][1]),
        center_axis_alignment_raw=blank(aligned[2][1]),
        active_fraction=blank(num_active / jnp.maximum(jnp.sum(fixed.signs != 0), 1)),
        kkt_residual=jnp.where(blocks.finite, residual, jnp.nan),
        num_features=blank(fixed_features),
        rank=rank,
        classes_per_draw=num_classes,
        num_draws=jnp.int32(num_draws),
        on_host=runs_on_host(plan.solver),
        num_examples=counts,
        status=flags,
    )


def _blocks_of_points(points, mask, blocks, center) -> tuple[Blocks, Array]:
    return blocks_about(points, mask, *reference_of_points(points, mask), blocks, center)


def blocks_about(
    points: Float[Array, "P M N"],
    mask: Mask,
    reference: Reference,
    finite: Bool[Array, " P"],
    blocks: Array,
    center: str,
) -> tuple[Blocks, Float[Array, ""]]:
    """Inner products of all blocks of a layer whose reference is known."""
    found = jax.lax.map(lambda own: block_of(points[own], mask[own], reference, center), blocks)
    return assemble_blocks(found, reference, finite, center)


def assemble_blocks(
    block: Block, reference: Reference, finite: Bool[Array, " P"], center: str
) -> tuple[Blocks, Float[Array, ""]]:
    """Puts the blocks of a layer together; the distance of the centers is in the unit of the norms."""
    present = jnp.sum(block.norms > 0)
    unit = jnp.sqrt(jnp.sum(jax.lax.stop_gradient(block.norms) ** 2) / jnp.maximum(present, 1))
    unit = jnp.where(unit > 0, unit, 1)
    distance = origin_and_size(reference, center)[1]
    return Blocks(block._replace(norms=block.norms / unit), jnp.all(finite)), distance / unit


def joint_geometry_of_blocks(
    reduced: list[tuple[Blocks, Float[Array, ""]]], mask: Mask, draws: Draws, ready: JointOptions
) -> JointGeometry:
    """`joint_geometry_of_layers` of layers that have been reduced to inner products by `assemble_blocks`."""
    counts = jnp.sum(mask, axis=1).astype(jnp.int32)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *reduced)
    # Devices share layers; of fewer layers they share the blocks.
    devices = ready.plan.devices if len(reduced) >= ready.plan.devices else 1
    plan = ready.plan if devices == 1 else ready.plan._replace(devices=1)

    def one_layer(item):
        blocks, distance = item
        return _geometry_of_layer(blocks, ready.kappa * distance, draws, plan, ready.name, counts)

    return chunked_map(one_layer, stacked, 1, devices)


def joint_geometry_of_layers(
    layers: tuple[Float[Array, "P M _"], ...], mask: Mask, key: PRNGKeyArray, ready: JointOptions
) -> JointGeometry:
    """Computes the joint geometry of several layers that show the same examples; leaves have a leading layer axis."""
    traced = (ready.draws, ready.dichotomies, ready.kappa)
    return _geometry_of_layers(layers, mask, key, *traced, plan=ready.plan, name=ready.name, center=ready.center)


@functools.partial(compiling.jit, static_argnames=("plan", "name", "center"))
@jax.default_matmul_precision("highest")
def _geometry_of_layers(layers, mask, key, draws, dichotomies, kappa, *, plan, name, center):
    ready = JointOptions(draws, dichotomies, kappa, plan, name, center)
    given = name if dichotomies is None else dichotomies
    sampled = sample(key, plan, mask.shape[1], mask.dtype, dichotomies=given, draws=draws)
    reduced = over_layers(lambda points: _blocks_of_points(points, mask, sampled.blocks, center), layers)
    return joint_geometry_of_blocks(reduced, mask, sampled, ready)
