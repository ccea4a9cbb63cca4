"""Effective radius, dimension, utility and alignments from the anchors of many draws."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

# Below this share of the largest class's weight a class has no anchor in a draw.
LEAST_MASS = 1e-9


class Anchors(NamedTuple):
    """Anchors s_mu = sum_i a_i x_i / sum_i a_i of the classes of one block."""

    weights: Float[Array, "*S d B M"]  # on points of unit length; zero where a class has no anchor or takes no part
    taking_part: Float[Array, "*S d B"]  # 1 for the classes of a draw


class Forms(NamedTuple):
    """Sums over the draws of a block; `pairs` counts the pairs of different classes in all of them."""

    axes: Float[Array, ""]  # of b = (W1 h)' (W1 C W1')^+ (W1 h)
    shared: Float[Array, ""]  # of c = (W1 h)' (W0 C W0' + W1 C W1')^+ (W1 h)
    pairs: Float[Array, ""]
    center: Float[Array, " 2"]  # of |cosines| and of |inner products| between the classes' mean anchors
    axis: Float[Array, " 2"]  # between their deviations from these
    center_axis: Float[Array, " 2"]  # between one class's mean anchor and another's deviation


def anchors_of(weights: Float[Array, "d B M"], signs: Float[Array, "d B M"], norms: Float[Array, "B M"]) -> Anchors:
    """Turns the weights of projections into anchors; `norms` are the lengths of the points."""
    size = jnp.abs(weights)
    # a_i x_i = (a_i |x_i|) (x_i / |x_i|): what a point of unit length weighs more, it counts less.
    mass = jnp.sum(size / jnp.where(norms > 0, norms, 1), axis=2)
    enough = mass > LEAST_MASS * jnp.max(mass, axis=1, keepdims=True)
    shares = jnp.where(enough[..., None], size / jnp.where(enough, mass, 1)[..., None], 0)
    return Anchors(shares, jnp.any(signs != 0, axis=2).astype(weights.dtype))


def mean_anchors(anchors: Anchors, blocks: Int32[Array, "S B"], num_manifolds: int) -> Float[Array, "P M"]:
    """Averages the anchors of every class over the draws that it takes part in, W0; zero for a class in none."""
    sums = jnp.zeros((num_manifolds, anchors.weights.shape[-1]), anchors.weights.dtype)
    sums = sums.at[blocks].add(jnp.sum(anchors.weights, axis=1))
    counts = jnp.zeros(num_manifolds, sums.dtype).at[blocks].add(jnp.sum(anchors.taking_part, axis=1))
    return sums / jnp.maximum(counts, 1)[:, None]


def quadratic_form(gram: Float[Array, "d B B"], vectors: Float[Array, "d B"]) -> Float[Array, " d"]:
    """Computes h' G^+ h by elimination, for h in the range of G.

    There any generalized inverse gives the same, so that directions that are only rounding are passed over. Written
    out, and not LAPACK's, for the reason that `geometry.eigen` gives.
    """
    least = (1e-10 if gram.dtype == jnp.float64 else 1e-5) * jnp.diagonal(gram, axis1=1, axis2=2)

    def eliminate(j, carry):
        gram, vectors, total = carry
        pivot, row, value = gram[:, j, j], gram[:, j], vectors[:, j]
        scale = jnp.where(pivot > least[:, j], 1 / jnp.where(pivot > least[:, j], pivot, 1), 0)
        gram = gram - scale[:, None, None] * row[:, :, None] * row[:, None, :]
        return gram, vectors - (scale * value)[:, None] * row, total + scale * value**2

    start = (gram, vectors, jnp.zeros_like(vectors[:, 0]))
    return jax.lax.fori_loop(0, gram.shape[1], eliminate, start)[2]


def forms_of(
    anchors: Anchors, centers: Float[Array, "B M"], gram: Float[Array, "BM BM"], linear: Float[Array, "d B M"]
) -> Forms:
    """Computes what radius, dimension and alignments are made of, for one block [Chou et al. 2025, algorithm 2].

    `centers` are W0 of its classes, `gram` C, `linear` h.
    """
    size, num_examples = centers.shape
    gram = gram.reshape(size, num_examples, size, num_examples)
    here = anchors.taking_part[..., None]
    axes = (anchors.weights - centers) * here
    axis_images = jnp.einsum("kbm,bmcn->kbcn", axes, gram)
    axis_gram = jnp.einsum("kbcn,kcn->kbc", axis_images, axes)
    cross = jnp.einsum("kbcn,cn->kbc", axis_images, centers)
    center_gram = jnp.einsum("bm,bmcn,cn->bc", centers, gram, centers)
    both = here * anchors.taking_part[:, None, :]
    projections = jnp.sum(axes * linear, axis=2)
    different = both * (1 - jnp.eye(size, dtype=both.dtype))

    def sums(inner, first, second):
        lengths = jnp.sqrt(jnp.maximum(first[..., :, None] * second[..., None, :], 0))
        cosines = jnp.where(lengths > 0, inner / jnp.where(lengths > 0, lengths, 1), 0)
        return jnp.stack([jnp.sum(jnp.abs(values) * different) for values in (cosines, inner)])

    center_squares, axis_squares = jnp.diagonal(center_gram), jnp.diagonal(axis_gram, axis1=1, axis2=2)
    return Forms(
        axes=jnp.sum(quadratic_form(axis_gram, projections)),
        shared=jnp.sum(quadratic_form(axis_gram + center_gram * both, projections)),
        pairs=jnp.sum(different),
        center=sums(center_gram, center_squares, center_squares),
        axis=sums(axis_gram, axis_squares, axis_squares),
        center_axis=sums(cross, axis_squares, center_squares),
    )
