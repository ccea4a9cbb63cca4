"""Label noise: the labels of a fraction of the training examples are permuted."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int, Int32, PRNGKeyArray
from numpy.typing import ArrayLike

MODES = ("shuffle", "uniform", "exclude_true")


class PermutedLabels(NamedTuple):
    """Labels to train on (`assigned`), and what they hide.

    An example that got its own label back still counts as permuted (paper A.3).
    """

    assigned: Int32[np.ndarray, " n"]
    true: Int32[np.ndarray, " n"]
    is_permuted: Bool[np.ndarray, " n"]


def stratified_choice(
    labels: Int[np.ndarray, " n"], total: int, num_classes: int, rng: np.random.Generator
) -> Int[np.ndarray, " total"]:
    """Chooses the same share of every class, by largest remainder; gives sorted indices."""
    counts = np.bincount(labels, minlength=num_classes)
    exact = counts * (total / max(counts.sum(), 1))
    quotas = np.floor(exact).astype(int)
    # Ties in the remainder go to the lower class, so the result depends on nothing but the counts.
    order = np.argsort(-(exact - quotas), kind="stable")
    quotas[order[: total - quotas.sum()]] += 1
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:quota] for label, quota in enumerate(quotas)]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, int)


def permute_labels(
    labels: ArrayLike,
    fraction: float,
    *,
    key: PRNGKeyArray,
    num_classes: int,
    mode: str = "shuffle",
    stratified: bool = True,
) -> PermutedLabels:
    """Permutes the labels of exactly round(fraction * n) examples.

    The labels are drawn by NumPy from a seed taken from the key: they must never depend on the version of jax or on
    the device.

    Args:
      labels: [n] integers in 0 .. num_classes - 1.
      mode: "shuffle" permutes the chosen labels among themselves (the class histogram stays), "uniform" draws each
        from all classes, "exclude_true" from all classes but its own.
      stratified: choose the same share of every class, to the nearest whole example, instead of any examples.
    """
    true = np.asarray(labels)
    if true.ndim != 1 or not np.issubdtype(true.dtype, np.integer):
        raise ValueError(f"expected integer labels [n], got {true.dtype} {true.shape}")
    if not 0 <= fraction <= 1:
        raise ValueError(f"expected permuted_fraction between 0 and 1, got {fraction}")
    if mode not in MODES:
        raise ValueError(f"expected permutation mode to be one of {', '.join(MODES)}, got {mode!r}")
    if true.size and not (true.min() >= 0 and true.max() < num_classes):
        raise ValueError(f"expected labels in 0 .. {num_classes - 1}, got {true.min()} .. {true.max()}")
    if mode == "exclude_true" and num_classes < 2:
        raise ValueError(f"expected at least 2 classes for mode 'exclude_true', got {num_classes}")
    true = true.astype(np.int32)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    total = round(fraction * true.size)
    if stratified:
        chosen = stratified_choice(true, total, num_classes, rng)
    else:
        chosen = np.sort(rng.permutation(true.size)[:total])
    assigned = true.copy()
    if mode == "shuffle":
        assigned[chosen] = rng.permutation(true[chosen])
    elif mode == "uniform":
        assigned[chosen] = rng.integers(0, num_classes, total)
    else:
        assigned[chosen] = (true[chosen] + rng.integers(1, num_classes, total)) % num_classes
    is_permuted = np.zeros(true.size, bool)
    is_permuted[chosen] = True
    return PermutedLabels(assigned, true, is_permuted)
