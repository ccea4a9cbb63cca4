"""Accuracy on the paper's groups."""

import numpy as np
from jaxtyping import Int

from memorize_jax.data import PermutedLabels


def group_accuracies(
    predicted: Int[np.ndarray, "*seeds n"],
    labels: PermutedLabels,
    test_predicted: Int[np.ndarray, "*seeds m"],
    test_labels: Int[np.ndarray, " m"],
) -> dict[str, np.ndarray | np.float64]:
    """Computes the share of correct predictions in every group, each [*seeds]; NaN for an empty one."""
    permuted, everything = labels.is_permuted, np.ones_like(labels.is_permuted)
    groups = {  # (is it right, does it belong to the group)
        "train_accuracy": (predicted == labels.assigned, everything),
        "unpermuted_accuracy": (predicted == labels.true, ~permuted),
        "permuted_accuracy": (predicted == labels.assigned, permuted),
        "restored_accuracy": (predicted == labels.true, permuted),
        "test_accuracy": (correct := test_predicted == test_labels, np.ones_like(correct)),
    }
    with np.errstate(invalid="ignore"):
        return {name: np.sum(right & of, axis=-1) / np.sum(of, axis=-1) for name, (right, of) in groups.items()}
