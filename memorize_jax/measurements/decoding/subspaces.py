"""Minimum-angle subspace classifier: one subspace through the origin per class, the nearest one wins."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from memorize_jax.geometry.points import as_array, as_labels, exponent_of, has_bad
from memorize_jax.measurements.decoding.grams import rounded_up
from memorize_jax.measurements.decoding.krylov import class_directions
from memorize_jax.measurements.decoding.spectra import directions_on_device

VARIANCE = 0.99
# Examples whose projections are held in memory at a time.
BATCH = 2048
# Directions are filled up to a multiple of this: their number differs from layer to layer and epoch to epoch.
DIRECTIONS = 256


class Subspaces(NamedTuple):
    """A subspace per class; the directions of all classes stand in one list, so that none is padded to the largest.

    Attributes:
      directions: orthonormal within a class, by decreasing share of its variance; zero rows at the end.
      owner: the class of each direction; -1 for directions that do not count.
      variance: share of the class's variance about the origin that lies in each direction.
      num_components: directions of each class; 0 for a class without examples or with nothing but zeros.
    """

    directions: Float[jax.Array, "R d"]
    owner: Int[jax.Array, " R"]
    variance: Float[jax.Array, " R"]
    num_components: Int[jax.Array, " P"]


def fit_subspaces(
    activations: Shaped[jax.Array | np.ndarray, "n ..."],
    labels: Int[jax.Array | np.ndarray, " n"],
    *,
    num_classes: int,
    variance: float | None = None,
    num_components: int | None = None,
) -> Subspaces:
    """Fits a subspace to the activations of every class.

    The directions of a class are the leading right singular vectors of its activations, which are not centered: as many
    as are needed for their share of the squared singular values to exceed `variance`, or `num_components` of them. A
    class that spans fewer directions gets what it spans.

    Args:
      activations: [n, ...] float, flattened to [n, d]; float64 if jax_enable_x64 is set and they are, else float32.
      labels: [n] integer, in 0 .. num_classes - 1.
      num_classes: P.
      variance: between 0 and 1; 0.99 if neither is given.
      num_components: >= 1, instead of `variance`.

    Raises:
      ValueError: shapes or labels that do not fit, NaN or infinite activations, both settings or a senseless one.

    References:
      Ketha and Ramaswamy, "Decoding generalization from memorization in deep neural networks", 2025.
    """
    variance, num_components = _check_rule(variance, num_components)
    activations, labels = _check_examples(activations, labels, num_classes)

    def count(values, total):
        return _count(values / max(total, np.finfo(float).tiny), variance, num_components)

    # A processor computes faster class by class, an accelerator all classes at once.
    find = class_directions if jax.default_backend() == "cpu" else directions_on_device
    found = find(activations, labels, num_classes, count)
    rows = [directions for _, directions, _ in found]
    shares = [values / max(total, np.finfo(float).tiny) for values, _, total in found]
    numbers = np.array([len(own) for own in rows], np.int32)
    padding = rounded_up(DIRECTIONS * -(-max(int(numbers.sum()), 1) // DIRECTIONS)) - int(numbers.sum())
    empty = np.zeros((padding, activations.shape[1]), activations.dtype)
    owner = np.concatenate([np.repeat(np.arange(num_classes, dtype=np.int32), numbers), np.full(padding, -1, np.int32)])
    return Subspaces(
        jnp.asarray(np.concatenate([*rows, empty]).astype(activations.dtype, copy=False)),
        jnp.asarray(owner),
        jnp.asarray(np.concatenate([*shares, np.zeros(padding)]).astype(activations.dtype)),
        jnp.asarray(numbers),
    )


def truncate(subspaces: Subspaces, *, variance: float | None = None, num_components: int | None = None) -> Subspaces:
    """Keeps fewer directions of every class: what `fit_subspaces` would give with a smaller setting.

    The `directions` stay, but some of them no longer count.
    """
    variance, num_components = _check_rule(variance, num_components)
    owner, shares = np.asarray(subspaces.owner), np.asarray(subspaces.variance, np.float64)
    kept, numbers = np.full_like(owner, -1), np.zeros(len(subspaces.num_components), np.int32)
    for label in range(len(numbers)):
        own = np.flatnonzero(owner == label)
        numbers[label] = min(_count(shares[own], variance, num_components), len(own))
        kept[own[: numbers[label]]] = label
    return subspaces._replace(owner=jnp.asarray(kept), num_components=jnp.asarray(numbers))


def scores(subspaces: Subspaces, activations) -> Float[jax.Array, "n P"]:
    """Squared cosine of the angle between activations [n, ...] and every subspace: ‖B_c x‖² / ‖x‖².

    From 0 to 1; -inf for a class that has no subspace, NaN where x is zero or not finite.
    """
    return nested_scores([subspaces], activations)[0]


def nested_scores(nested: Sequence[Subspaces], activations) -> Float[jax.Array, "rules n P"]:
    """Computes `scores` for several truncations of the same subspaces, at the price of one."""
    directions = nested[0].directions
    activations = as_array(activations, "activations")
    if activations.ndim < 2 or np.prod(activations.shape[1:]) != directions.shape[1]:
        raise ValueError(f"expected activations [n, {directions.shape[1]}], got {activations.shape}")
    activations = _in_range(activations.reshape(activations.shape[0], -1), axis=1)
    owners, numbers = tuple(each.owner for each in nested), tuple(each.num_components for each in nested)
    parts = [_scores(directions, owners, numbers, part) for part in batches(activations)]
    return (jnp.concatenate(parts, axis=1) if len(parts) > 1 else parts[0])[:, : len(activations)]


def classify(subspaces: Subspaces, activations) -> Int[jax.Array, " n"]:
    """Predicts the class whose subspace is nearest in angle to activations [n, ...], see `nearest`."""
    return nearest(scores(subspaces, activations))


@jax.jit
def nearest(values: Float[jax.Array, "*batch P"]) -> Int[jax.Array, "*batch"]:
    """Class with the highest score, the lowest of equals; -1, which is no label, where any is NaN or all are -inf."""
    usable = jnp.all(~jnp.isnan(values), axis=-1) & (jnp.max(values, axis=-1) > -jnp.inf)
    return jnp.where(usable, jnp.argmax(values, axis=-1), -1).astype(jnp.int32)


def batches(activations) -> list:
    """Cuts [n, d] into batches of one size, the last one filled up with zeros."""
    size = min(BATCH, rounded_up(len(activations)))
    parts = [activations[start : start + size] for start in range(0, max(len(activations), 1), size)]
    pad = np.pad if isinstance(activations, np.ndarray) else jnp.pad
    return [*parts[:-1], pad(parts[-1], ((0, size - len(parts[-1])), (0, 0)))]


@jax.jit
def _scores(directions, owners, numbers, activations):
    with jax.default_matmul_precision("highest"):
        x = jnp.asarray(activations, directions.dtype)
        # First to unit size, then to unit length: the square of a large number is infinite, of a small one zero.
        x = x / jnp.max(jnp.abs(x), axis=1, keepdims=True)
        x = x / jnp.linalg.norm(x, axis=1, keepdims=True)
        energy = jnp.square(x @ directions.T)
        found = []
        for owner, number in zip(owners, numbers, strict=True):
            sums = energy @ jax.nn.one_hot(owner, len(number), dtype=energy.dtype)
            found.append(jnp.where((number == 0) & ~jnp.isnan(sums), -jnp.inf, sums))
        return jnp.stack(found)


def _count(shares, variance, num_components):
    """How many leading directions a rule wants; one more than there are if these do not suffice."""
    return num_components or int(np.sum(np.cumsum(shares) <= variance)) + 1


def _check_rule(variance, num_components):
    if variance is not None and num_components is not None:
        raise ValueError(f"expected variance or num_components, got both: {variance} and {num_components}")
    if num_components is None:
        variance = VARIANCE if variance is None else variance
        if not 0 < variance < 1:
            raise ValueError(f"expected variance > 0 and < 1, got {variance}")
    elif num_components < 1:
        raise ValueError(f"expected num_components >= 1, got {num_components}")
    return variance, num_components


def _check_examples(activations, labels, num_classes):
    activations = np.asarray(as_array(activations, "activations"))
    if num_classes < 1:
        raise ValueError(f"expected num_classes >= 1, got {num_classes}")
    if activations.ndim < 2 or len(activations) == 0:
        raise ValueError(f"expected activations [n, d] with n >= 1, got {activations.shape}")
    labels = as_labels(labels, len(activations))
    if labels.max() >= num_classes:
        raise ValueError(f"expected labels in 0 .. {num_classes - 1}, got {labels.min()} .. {labels.max()}")
    activations = activations.reshape(len(activations), -1)
    if has_bad(activations):
        bad = int(np.flatnonzero(~np.isfinite(activations).all(axis=1))[0])
        raise ValueError(f"expected finite activations, got NaN or infinite values in example {bad}")
    wide = jnp.result_type(float) == activations.dtype == np.float64
    return _in_range(activations).astype(np.float64 if wide else np.float32, copy=False), labels


def _in_range(activations, axis=None):
    """Takes a power of two, of all or of each row, out of what only float64 of the host holds: angles stay."""
    if not isinstance(activations, np.ndarray) or activations.dtype.itemsize < 8 or not activations.size:
        return activations
    exponent = exponent_of(activations, axis)
    return np.ldexp(activations, -exponent) if exponent.any() else activations
