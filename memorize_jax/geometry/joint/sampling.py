"""Which classes, labels and Gaussian vectors a draw of the joint geometry consists of."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, PRNGKeyArray, Real

from memorize_jax.keys import stream

# Points whose inner products are held and decomposed together, if the classes are more than fit.
BLOCK_POINTS = 1024
# Radius and dimension cost the cube of the classes of a draw.
BLOCK_CLASSES = 128
# A block's decomposition costs about as much as the programs of one draw for every so many of its points.
POINTS_PER_DRAW = 50


class Plan(NamedTuple):
    """Sizes, all of them static."""

    num_manifolds: int  # P
    block_size: int  # B, the classes whose inner products are held together
    num_blocks: int  # S
    draws_per_block: int  # d; S d draws in all
    adaptive: bool  # whether a draw takes fewer than B classes where B are too many for the rank of the points
    chunk: int | None = None  # draws of a block whose anchors are held at a time; None for all


class Draws(NamedTuple):
    """What is random, the same for all layers."""

    blocks: Int32[Array, "S B"]  # the classes of each block
    normals: Float[Array, "S d B M"]  # standard normal, in the space of the examples
    # permutations: the classes of a draw are those that come first, as many as it takes; "balanced" labels alternate
    # along it
    order: Int32[Array, "S d B"]
    flips: Float[Array, "S d"]  # -1 or 1, which label comes first
    labels: Float[Array, "S d B"] | None  # of -1 and 1, where the caller gives the dichotomies


def make_plan(
    num_manifolds: int, num_examples: int, *, num_draws: int, classes_per_draw: int | None, num_dichotomies: int | None
) -> Plan:
    """Chooses the sizes; without `classes_per_draw`, at most `BLOCK_POINTS` points and `BLOCK_CLASSES` classes a block.

    `num_draws`, in all, are rounded up. `num_dichotomies` is how many the caller gives; None for random ones.
    """
    if num_dichotomies is not None:
        rounds = -(-num_draws // num_dichotomies)
        return Plan(num_manifolds, num_manifolds, 1, rounds * num_dichotomies, False)
    size = classes_per_draw
    if size is None:
        most = max(2, min(BLOCK_POINTS // num_examples, BLOCK_CLASSES))
        # With a divisor of P all classes are drawn equally often.
        divisor = max((number for number in range(2, most + 1) if num_manifolds % number == 0), default=0)
        size = min(num_manifolds, most) if num_manifolds <= most or divisor <= most // 2 else divisor
    if size == num_manifolds:
        return Plan(num_manifolds, size, 1, num_draws, classes_per_draw is None)
    at_least = math.ceil(num_manifolds / size)
    wanted = num_draws / max(4, size * num_examples // POINTS_PER_DRAW)
    num_blocks = at_least * max(1, round(wanted / at_least))
    return Plan(num_manifolds, size, num_blocks, -(-num_draws // num_blocks), classes_per_draw is None)


def joint_peak_bytes(plan: Plan, num_layers: int, num_examples: int, itemsize: int = 4) -> int:
    """Estimates the bytes of memory that the joint geometry of some layers takes beside their points."""
    points = plan.block_size * num_examples
    # The Gram matrices of all layers; of one layer their roots; of one block what its solution needs.
    grams = points**2 * (plan.num_blocks * (num_layers + 2) + 6)
    at_a_time = min(plan.chunk or plan.draws_per_block, plan.draws_per_block)
    draws = points * (8 * plan.num_blocks * plan.draws_per_block + plan.block_size * at_a_time)
    return itemsize * (grams + draws)


def _keys(key):
    """Of classes, normals, order and flips."""
    key = stream(key, "joint geometry")
    return [jax.random.fold_in(key, number) for number in range(4)]


def sample_normals(key: PRNGKeyArray, plan: Plan, num_examples: int, dtype: Any) -> Float[Array, "S d B M"]:
    """Samples the Gaussian vectors alone."""
    shape = (plan.num_blocks, plan.draws_per_block, plan.block_size, num_examples)
    return jax.random.normal(_keys(key)[1], shape, dtype)


def sample(
    key: PRNGKeyArray,
    plan: Plan,
    num_examples: int,
    dtype,
    *,
    dichotomies: str | Real[jax.Array | np.ndarray, "k P"],
    draws: Float[Array, "..."] | None = None,
) -> Draws:
    """Samples classes, labels and Gaussian vectors; given draws or dichotomies take their place."""
    num_manifolds, size, num_blocks, per_block, *_ = plan
    shape = (num_blocks, per_block, size)
    class_key, _, order_key, flip_key = _keys(key)
    if size == num_manifolds:
        blocks = jnp.broadcast_to(jnp.arange(size, dtype=jnp.int32), (num_blocks, size))
    else:
        # Arcs of a circle of all classes, in a new order for each round.
        per_round = -(-num_manifolds // size)
        rounds = jnp.arange(-(-num_blocks // per_round))
        circles = jax.vmap(lambda r: jax.random.permutation(jax.random.fold_in(class_key, r), num_manifolds))(rounds)
        number = jnp.arange(num_blocks)
        places = (number[:, None] % per_round * size + jnp.arange(size)) % num_manifolds
        blocks = circles[number[:, None] // per_round, places].astype(jnp.int32)
    normals = sample_normals(key, plan, num_examples, dtype) if draws is None else draws
    flips = jax.random.rademacher(flip_key, shape[:2], dtype)
    labels = None
    if isinstance(dichotomies, str) and dichotomies == "balanced":
        order = jax.random.permutation(order_key, jnp.broadcast_to(jnp.arange(size), shape), axis=2, independent=True)
    else:
        # Every class comes first in turn.
        order = jnp.broadcast_to((jnp.arange(size) - jnp.arange(per_block)[:, None]) % size, shape)
        if not isinstance(dichotomies, str):
            turns = jnp.arange(per_block) % len(dichotomies)
            labels = jnp.asarray(dichotomies, dtype)[turns][None]
    return Draws(blocks, normals.reshape(*shape, num_examples), order.astype(jnp.int32), flips, labels)


def signs_of(
    draws: Draws, present: Float[Array, "B M"], num_classes: Int32[Array, ""], *, dichotomies: str
) -> Float[Array, "d B M"]:
    """The label of every point in every draw: -1, 1, and 0 for points that take no part.

    Leaves of the draws are without the block axis S; `present` is 1 where a point can be told from the origin.
    """
    per_block, size = draws.order.shape
    order = draws.order
    if dichotomies == "balanced":
        # One permutation serves as many draws as it has windows of P' classes, so that no class is left out for long.
        windows = size // num_classes
        number = jnp.arange(per_block)
        order = (draws.order[number // windows] - (number % windows * num_classes)[:, None]) % size
    first = order < num_classes
    if draws.labels is not None:
        labels = draws.labels
    elif dichotomies == "balanced":
        labels = jnp.where(order % 2 == 0, 1, -1) * draws.flips[:, None]
    else:
        labels = jnp.where(order == 0, 1, -1)
    return (labels * first)[..., None] * present
