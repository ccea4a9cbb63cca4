"""A run that was trained by a program of its own and watched: its data, its network, its accuracies."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from memorize_jax.activations import run_in_batches
from memorize_jax.adapters import WatchedNetwork
from memorize_jax.adapters.network import ANSWERS
from memorize_jax.config import WATCHED
from memorize_jax.data import PermutedLabels, Split, Splits
from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage.files import replacing
from memorize_jax.training.accuracy import group_accuracies

PARTS, NAMES = ("train", "test"), ("images", "labels")
# What half precision leaves of a sum of probabilities.
PROBABILITY_ERROR = 1e-2


def write_watched(folder: RunFolder, splits: Splits) -> None:
    """Writes watched.npz, the examples and their true labels, which no data set of this package has."""
    folder.workdir.mkdir(parents=True, exist_ok=True)
    arrays = {f"{part}_{name}": getattr(split, name) for part, split in splits._asdict().items() for name in NAMES}
    with replacing(folder.data) as beside:
        np.savez(beside, num_classes=splits.train.num_classes, **arrays)


def read_watched(folder: RunFolder) -> Splits:
    """Reads watched.npz; raises FileNotFoundError, or ValueError if it is damaged."""
    if not folder.data.is_file():
        raise FileNotFoundError(f"no watched.npz in {folder.workdir}, the examples that were watched; restore it")
    try:
        with np.load(folder.data, allow_pickle=False) as content:
            number = int(content["num_classes"])
            parts = {part: [content[f"{part}_{name}"] for name in NAMES] for part in PARTS}
            return Splits(**{part: Split(images, labels, number, WATCHED) for part, (images, labels) in parts.items()})
    except Exception as error:  # zip and header readers raise whatever they raise
        raise ValueError(f"{folder.data}: expected the examples of a watched run, got {error!r}") from error


def read_network(folder: RunFolder, noted: Mapping) -> WatchedNetwork:
    """Makes the network of a watched run by the function that its config.json names.

    Raises ValueError if none is named, or it makes another network.
    """
    if not noted["program"]:
        raise ValueError(
            f"the network of {folder.workdir} is only known to the program that trained it ({noted['library']}): "
            "measure there, Watch.measure(...), or give Watch network='MODULE:NAME', a function that makes the network"
        )
    # Here, for it knows the libraries.
    from memorize_jax.adapters.adapt import adapt_program

    with np.load(folder.data, allow_pickle=False) as content:
        sample, num_classes = content["train_images"][:2], int(content["num_classes"])
    network = adapt_program(noted["program"], sample, layers=list(noted["layers"]), num_classes=num_classes)
    if (found := network.noted()) != dict(noted):
        changed = next(name for name in found if found[name] != noted.get(name))
        raise ValueError(
            f"{noted['program']} makes another network than {folder.workdir} was trained with: other {changed}"
        )
    return network


def evaluate_watched(
    network: WatchedNetwork, variables: dict, splits: Splits, labels: PermutedLabels
) -> dict[str, Any]:
    """Loss (mean cross-entropy of the assigned labels) and accuracies of a network; without a test set NaN for it.

    Raises ValueError if it answers with too few numbers, or with probabilities in place of logits.
    """
    train, test = (_answers(network, variables, split) for split in splits)
    _check_logits(train)
    losses = special.logsumexp(train, axis=1) - train[np.arange(len(train)), labels.assigned]
    predicted = [np.where(np.isfinite(own).all(axis=1), own.argmax(axis=1), -1) for own in (train, test)]
    accuracies = group_accuracies(predicted[0], labels, predicted[1], splits.test.labels)
    return {"loss": float(losses.mean()), **{name: float(value) for name, value in accuracies.items()}}


def _answers(network, variables, split):
    if not len(split.labels):
        return np.empty((0, split.num_classes))
    found = run_in_batches(network.answers, variables, split.images, (ANSWERS,))[ANSWERS]
    if found.shape[1] < split.num_classes:
        raise ValueError(
            f"expected {split.num_classes} answers of the network, a number each class, got {found.shape[1]}"
        )
    return np.asarray(found, np.float64)


def _check_logits(answers):
    """Raises ValueError for probabilities, whose cross-entropy, of a softmax of a softmax, would be wrong."""
    if (answers >= 0).all() and (abs(answers.sum(axis=1) - 1) < PROBABILITY_ERROR).all():
        raise ValueError(
            "expected logits of the network, got probabilities, which sum to 1 for every example; "
            "give Watch a network that returns what its softmax takes, or the logarithm of what it gives"
        )
