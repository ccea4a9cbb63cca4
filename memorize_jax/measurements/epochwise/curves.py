"""Test error over epochs: smoothed, and where it falls, rises and falls again."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from memorize_jax.claims.shapes import LEAST_ACCURACY, descents, moves

# A mean goes over the epochs from e / 1.25 to 1.25 e: the axis on which training is even is the logarithmic one, and
# single epochs go up and down by more than a point as long as the rate of learning is constant.
REACH = 1.25
# Accuracy on the assigned labels from which on a network has fitted them.
FITTED = 0.99


class Course(NamedTuple):
    """How the test error of one permuted fraction goes: the mean over seeds, smoothed.

    Attributes:
      errors: [epochs], the smoothed curve.
      minimum: epoch of the lowest error, or of that before a second descent where there is one.
      peak: epoch of the highest error before the second descent; None where no such move is of two points.
      low: epoch of the lowest error after the peak; None likewise.
      moves: how far it falls, rises and falls again where it does so most, [3].
    """

    errors: Float[np.ndarray, " epochs"]
    minimum: int
    peak: int | None
    low: int | None
    moves: Float[np.ndarray, "3"]


def smoothed(errors: Float[np.ndarray, "*seeds epochs"]) -> Float[np.ndarray, "*seeds epochs"]:
    """Mean over the epochs from e / 1.25 to 1.25 e, those that there are, around each epoch e."""
    count = errors.shape[-1]
    epochs = np.arange(count)
    first = np.ceil(epochs / REACH).astype(int)
    end = np.minimum(np.floor(epochs * REACH).astype(int), count - 1) + 1
    sums = np.concatenate([np.zeros((*errors.shape[:-1], 1)), np.cumsum(errors, axis=-1)], axis=-1)
    return (sums[..., end] - sums[..., first]) / (end - first)


def error_curves(metrics: pd.DataFrame) -> pd.DataFrame:
    """Test error of the runs of one fraction: a row for each seed, a column for each epoch that all of them have."""
    return 1 - metrics.pivot(index="seed", columns="epoch", values="test_accuracy").dropna(axis="columns")


def course(errors: Float[np.ndarray, "seeds epochs"]) -> Course:
    """Finds the turns of the smoothed mean over seeds (`shapes.descents`)."""
    mean = smoothed(errors).mean(axis=0)
    turns = descents(mean)
    found = moves(mean, turns)
    if not found.min() > LEAST_ACCURACY:
        return Course(mean, int(mean.argmin()), None, None, found)
    _, minimum, peak, low = (int(turn) for turn in turns)
    return Course(mean, minimum, peak, low, found)


def fitted_epoch(metrics: pd.DataFrame) -> int | None:
    """The first epoch at which a run has fitted its labels; None if it never does."""
    reached = metrics[metrics["train_accuracy"] >= FITTED]["epoch"]
    return None if reached.empty else int(reached.min())
