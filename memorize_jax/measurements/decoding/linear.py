"""Linear readings of a layer in closed form, and their use as the last layer of the network itself."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from memorize_jax.measurements.decoding.subspaces import Subspaces, batches


def class_means(
    activations: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], num_classes: int
) -> Float[np.ndarray, "P d"]:
    """Unit vectors along the mean activation of every class; NaN for one without examples or with mean zero."""
    members = np.arange(num_classes)[:, None] == labels
    sums = members.astype(activations.dtype) @ activations
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, norms, out=np.full_like(sums, np.nan), where=norms > 0)


def first_components(subspaces: Subspaces, mean_activation: Float[np.ndarray, " d"]) -> Float[np.ndarray, "P d"]:
    """The first direction of every class, turned so that the mean of all activations lies on its positive side.

    NaN for a class without a subspace.

    References:
      Ketha and Ramaswamy, "On the dynamics & transferability of latent generalization during memorization", 2026.
    """
    owner, directions = np.asarray(subspaces.owner), np.asarray(subspaces.directions)
    weights = np.full((len(subspaces.num_components), directions.shape[1]), np.nan, directions.dtype)
    # Directions are in decreasing order of variance within a class, so the first of an owner is its leading one.
    classes, first = np.unique(owner, return_index=True)
    weights[classes[classes >= 0]] = directions[first[classes >= 0]]
    signs = np.where(np.less(weights @ mean_activation, 0), -1, 1)
    return weights * np.reshape(signs, (-1, 1)).astype(weights.dtype)


def linear_scores(weights: Float[np.ndarray, "P d"], activations: Float[np.ndarray, "n d"]) -> Float[jax.Array, "n P"]:
    """Inner products with a vector per class; -inf where that is NaN, NaN where x is zero or not finite."""
    absent = np.asarray(np.isnan(weights).any(axis=1))
    weights = np.where(absent[:, None], 0, weights)
    parts = [_linear_scores(weights, absent, part) for part in batches(activations)]
    return jnp.concatenate(parts)[: len(activations)]


@jax.jit
def _linear_scores(weights, absent, x):
    with jax.default_matmul_precision("highest"):
        usable = jnp.all(jnp.isfinite(x), axis=1) & jnp.any(x != 0, axis=1)
        return jnp.where(usable[:, None], jnp.where(absent, -jnp.inf, x @ weights.T), jnp.nan)


def replace_head(variables: dict, head: str, weights: Float[np.ndarray, "P d"]) -> dict:
    """Puts a vector per class in place of the last layer's weights, and zero in place of its bias.

    A class whose vector is NaN gets zeros; what is not of the head is shared. Raises ValueError for another shape.
    """
    old = variables["params"][head]
    kernel = np.nan_to_num(weights.T)
    if kernel.shape != old["kernel"].shape:
        raise ValueError(f"expected weights {old['kernel'].shape[::-1]} for the head {head}, got {weights.shape}")
    new = {name: np.zeros_like(leaf) for name, leaf in old.items()}
    new["kernel"] = kernel.astype(old["kernel"].dtype)
    return {**variables, "params": {**variables["params"], head: new}}
