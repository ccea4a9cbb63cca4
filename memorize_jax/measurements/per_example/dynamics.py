"""What the networks of a run say of every example, epoch by epoch, in sums that do not grow with the epochs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import special

# The class that a network without finite logits predicts, and the epoch of what has not happened.
NONE = -1


class Outputs(NamedTuple):
    """What one network says of every example.

    Attributes:
      predicted: the class of the largest logit; `NONE` where logits are not finite.
      margin: logit of the assigned label minus the largest other one.
      loss: cross-entropy of the assigned label.
    """

    predicted: Int[np.ndarray, " n"]
    margin: Float[np.ndarray, " n"]
    loss: Float[np.ndarray, " n"]


class Dynamics(NamedTuple):
    """What the networks so far said of every example.

    Attributes:
      learned: epoch since which the assigned label was predicted without a break; `NONE` if it is not predicted now.
      first_true: first epoch at which the true label was predicted; `NONE` if it never was.
      forgotten: how often an epoch that predicts the assigned label was followed by one that does not.
      margin: sum over epochs; likewise `loss`.
      num_epochs: that were added.
    """

    learned: Int[np.ndarray, " n"]
    first_true: Int[np.ndarray, " n"]
    forgotten: Int[np.ndarray, " n"]
    margin: Float[np.ndarray, " n"]
    loss: Float[np.ndarray, " n"]
    num_epochs: int


def read_logits(logits: Float[np.ndarray, "n num_classes"], assigned: Int[np.ndarray, " n"]) -> Outputs:
    """Reads the logits z of a network, in float64; assigned labels are y.

    margin = z_y - max_{c != y} z_c,  loss = log sum_c exp z_c - z_y
    """
    logits, rows = np.asarray(logits, np.float64), np.arange(len(logits))
    others = logits.copy()
    others[rows, assigned] = -np.inf
    with np.errstate(invalid="ignore"):
        margin = logits[rows, assigned] - others.max(axis=1)
        loss = np.asarray(special.logsumexp(logits, axis=1)) - logits[rows, assigned]
    predicted = np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), NONE)
    return Outputs(predicted, margin, loss)


def start(num_examples: int) -> Dynamics:
    """Before the first epoch."""
    never, zero = np.full(num_examples, NONE), np.zeros(num_examples)
    return Dynamics(never, never, np.zeros(num_examples, int), zero, zero, 0)


def add(
    dynamics: Dynamics,
    epoch: int,
    outputs: Outputs,
    assigned: Int[np.ndarray, " n"],
    true: Int[np.ndarray, " n"],
) -> Dynamics:
    """Adds an epoch, later than those before."""
    was_right, is_right = dynamics.learned != NONE, outputs.predicted == assigned
    first = (dynamics.first_true == NONE) & (outputs.predicted == true)
    return Dynamics(
        learned=np.where(is_right, np.where(was_right, dynamics.learned, epoch), NONE),
        first_true=np.where(first, epoch, dynamics.first_true),
        forgotten=dynamics.forgotten + (was_right & ~is_right),
        margin=dynamics.margin + outputs.margin,
        loss=dynamics.loss + outputs.loss,
        num_epochs=dynamics.num_epochs + 1,
    )


def summarize(dynamics: Dynamics, last: int) -> dict[str, np.ndarray]:
    """The columns of the table that come from all epochs, each [n]; what never happened has the epoch `last` + 1.

    aum, the area under the margin, is the mean margin (Pleiss et al. 2020, eq. 2), cumulative_loss the sum of the
    losses (Ravikumar et al. 2025), forgotten counts forgetting events (Toneva et al. 2019, def. 2.1).
    """
    happened = lambda epochs: np.where(epochs == NONE, last + 1, epochs)
    return {
        "learned_epoch": happened(dynamics.learned),
        "first_true_epoch": happened(dynamics.first_true),
        "forgotten": dynamics.forgotten,
        "aum": dynamics.margin / dynamics.num_epochs,
        "cumulative_loss": dynamics.loss,
    }
