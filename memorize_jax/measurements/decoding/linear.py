"""Linear readings of a layer in closed form, and their use as the last layer of the network itself."""

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.measurements.decoding.subspaces import Subspaces, batches


def class_means(activations: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Unit vectors along the mean activation of every class.

    Args:
      activations: [n, d].
      labels: [n] integer.
      num_classes: P.

    Returns:
      [P, d]; NaN for a class without examples or with mean zero.
    """
    members = np.arange(num_classes)[:, None] == labels
    sums = members.astype(activations.dtype) @ activations
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, norms, out=np.full_like(sums, np.nan), where=norms > 0)


def first_components(subspaces: Subspaces, mean_activation: np.ndarray) -> np.ndarray:
    """The first direction of every class, turned so that the mean activation lies on its positive side.

    Args:
      subspaces: of `fit_subspaces`.
      mean_activation: [d], over the examples of all classes.

    Returns:
      [P, d]; NaN for a class without a subspace.

    References:
      Ketha and Ramaswamy, "On the dynamics & transferability of latent generalization during memorization", 2026.
    """
    owner, directions = np.asarray(subspaces.owner), np.asarray(subspaces.directions)
    weights = np.full((len(subspaces.num_components), directions.shape[1]), np.nan, directions.dtype)
    # Directions are in decreasing order of variance within a class, so the first of an owner is its leading one.
    classes, first = np.unique(owner, return_index=True)
    weights[classes[classes >= 0]] = directions[first[classes >= 0]]
    return weights * np.where(weights @ mean_activation < 0, -1, 1)[:, None].astype(weights.dtype)


def linear_scores(weights: np.ndarray, activations) -> jax.Array:
    """Inner products with a vector per class.

    Args:
      weights: [P, d].
      activations: [n, d].

    Returns:
      [n, P]; -inf for a class whose vector is NaN, NaN where x is zero or not finite.
    """
    absent = np.isnan(weights).any(axis=1)
    weights = np.where(absent[:, None], 0, weights)
    parts = [_linear_scores(weights, absent, part) for part in batches(activations)]
    return jnp.concatenate(parts)[: len(activations)]


@jax.jit
def _linear_scores(weights, absent, x):
    with jax.default_matmul_precision("highest"):
        usable = jnp.all(jnp.isfinite(x), axis=1) & jnp.any(x != 0, axis=1)
        return jnp.where(usable[:, None], jnp.where(absent, -jnp.inf, x @ weights.T), jnp.nan)


def replace_head(variables: dict, head: str, weights: np.ndarray) -> dict:
    """Puts a vector per class in place of the last layer's weights, and zero in place of its bias.

    Args:
      variables: params and batch_stats.
      head: name of the last layer.
      weights: [P, d]; a class whose vector is NaN gets zeros.

    Returns:
      variables with another head; the rest is shared.

    Raises:
      ValueError: the head has another shape.
    """
    old = variables["params"][head]
    kernel = np.nan_to_num(weights.T)
    if kernel.shape != old["kernel"].shape:
        raise ValueError(f"expected weights {old['kernel'].shape[::-1]} for the head {head}, got {weights.shape}")
    new = {name: np.zeros_like(leaf) for name, leaf in old.items()}
    new["kernel"] = kernel.astype(old["kernel"].dtype)
    return {**variables, "params": {**variables["params"], head: new}}
