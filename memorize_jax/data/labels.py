"""Permuted labels: a fraction of the training labels is made uninformative."""

from typing import NamedTuple

import jax
import numpy as np

MODES = ("shuffle", "uniform", "exclude_true")


class PermutedLabels(NamedTuple):
    """Labels to train on, and what they hide.

    Attributes:
      assigned: [n] int32, the labels the network is trained on.
      true: [n] int32.
      is_permuted: [n] bool. An example that got its own label back still counts as permuted (paper A.3).
    """

    assigned: np.ndarray
    true: np.ndarray
    is_permuted: np.ndarray


def class_quotas(counts: np.ndarray, total: int) -> np.ndarray:
    """Splits a number of examples over classes in proportion to their sizes, by largest remainder.

    Args:
      counts: [P], examples of each class.
      total: how many to take.

    Returns:
      [P] int, with sum `total`.
    """
    exact = counts * (total / max(counts.sum(), 1))
    quotas = np.floor(exact).astype(int)
    # Ties in the remainder go to the lower class, so the result depends on nothing but the counts.
    order = np.argsort(-(exact - quotas), kind="stable")
    quotas[order[: total - quotas.sum()]] += 1
    return quotas


def permute_labels(
    labels, fraction: float, *, key: jax.Array, num_classes: int, mode: str = "shuffle", stratified: bool = True
) -> PermutedLabels:
    """Permutes the labels of exactly round(fraction * n) examples.

    The labels are drawn by NumPy from a seed taken from the key: they must never depend on the version of jax or on
    the device.

    Args:
      labels: [n] integer, in 0 .. num_classes - 1.
      fraction: share of examples to permute, 0 to 1.
      key: PRNG key; the same key gives the same labels.
      num_classes: P.
      mode: "shuffle" permutes the chosen labels among themselves (the class histogram stays), "uniform" draws each
        from all classes, "exclude_true" from all classes but its own.
      stratified: choose the same share of every class, to the nearest whole example, instead of any examples.

    Raises:
      ValueError: fraction outside [0, 1], unknown mode, labels out of range.
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
        quotas = class_quotas(np.bincount(true, minlength=num_classes), total)
        members = [rng.permutation(np.flatnonzero(true == label))[:quota] for label, quota in enumerate(quotas)]
        chosen = np.concatenate(members) if members else np.zeros(0, int)
    else:
        chosen = rng.permutation(true.size)[:total]
    chosen = np.sort(chosen)
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
