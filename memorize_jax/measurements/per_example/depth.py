"""How deep in a network an example is decided: the layer from which on its neighbors carry the network's class."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from memorize_jax.scale import power_of_two

# Distances of so many examples to all others are held together.
BLOCK = 512


@functools.partial(jax.jit, static_argnames=("num_neighbors", "num_classes"))
def neighbor_votes(
    points: Float[Array | np.ndarray, "n d"],
    labels: Int[Array | np.ndarray, " n"],
    *,
    num_neighbors: int,
    num_classes: int,
) -> Int[Array, " n"]:
    """The commonest label among the nearest other points of every point: a probe that leaves each point out.

    Distances are Euclidean and exact, in blocks of `BLOCK` points against all. Of equal distances the points that come
    first count, of equally common labels the lowest. All votes are -1 if any point is not finite,
    or a label no class.
    """
    num_points = len(points)
    if not 1 <= num_neighbors < num_points:
        raise ValueError(f"expected 1 <= num_neighbors < {num_points} points, got {num_neighbors}")
    # Neither unit nor offset matters, but squares leave float32 and rounding errors grow with the offset.
    scaled = points / power_of_two(jnp.max(jnp.abs(points)))
    centered = scaled - jnp.mean(scaled, axis=0)
    squares, classes = jnp.sum(centered**2, axis=1), jnp.arange(num_classes)

    def vote(indices):
        products = jnp.matmul(centered[indices], centered.T, precision="highest")
        # Without the square of the point itself, which is the same for all others.
        distances = squares - 2 * products
        distances = jnp.where(indices[:, None] == jnp.arange(num_points), jnp.inf, distances)
        _, nearest = jax.lax.top_k(-distances, num_neighbors)
        return jnp.argmax(jnp.sum(labels[nearest][..., None] == classes, axis=1), axis=1)

    block = min(BLOCK, num_points)
    num_blocks = -(-num_points // block)
    # What fills the last block is a point that is there anyway.
    indices = jnp.minimum(jnp.arange(num_blocks * block), num_points - 1).reshape(num_blocks, block)
    votes = jax.lax.map(vote, indices).ravel()[:num_points]
    is_known = jnp.isfinite(points).all() & jnp.all((labels >= 0) & (labels < num_classes))
    return jnp.where(is_known, votes, -1)


def prediction_depth(votes: Int[np.ndarray, "L n"], predicted: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The least l such that the probes l, ..., L - 1 all vote for the class that the network predicts.

    L if the last probe does not; NaN where the network predicts none, or one of the probes does not exist
    (Baldock et al. 2021, section 2.1).

    Args:
      votes: of the probe after the input, and after every analyzed layer; -1 where there is no such probe.
      predicted: -1 for none.
    """
    differs = votes != predicted
    depth = np.where(differs.any(axis=0), len(votes) - differs[::-1].argmax(axis=0), 0)
    # A probe that does not exist is none that votes otherwise.
    is_unknown = (votes < 0).any(axis=0) | (predicted < 0)
    return np.where(is_unknown, np.nan, depth)
