"""Accuracy on the paper's groups."""

import numpy as np

from memorize_jax.data import PermutedLabels


def group_accuracies(
    predicted: np.ndarray, labels: PermutedLabels, test_predicted: np.ndarray, test_labels: np.ndarray
) -> dict[str, float]:
    """Computes the share of correct predictions in every group.

    Args:
      predicted: [n], classes predicted for the training images.
      labels: of the training set.
      test_predicted: [m].
      test_labels: [m].

    Returns:
      train (on the assigned labels, all examples), unpermuted, permuted (assigned labels), restored (true labels
      of the permuted examples), test; NaN for an empty group.
    """
    permuted = labels.is_permuted

    def share(correct):
        return float(np.mean(correct)) if correct.size else float("nan")

    return {
        "train_accuracy": share(predicted == labels.assigned),
        "unpermuted_accuracy": share((predicted == labels.true)[~permuted]),
        "permuted_accuracy": share((predicted == labels.assigned)[permuted]),
        "restored_accuracy": share((predicted == labels.true)[permuted]),
        "test_accuracy": share(test_predicted == test_labels),
    }
