"""Training: a pure step, pmapped, and the loop around it."""

from memorize_jax.training.ensemble import Ensemble, train_together
from memorize_jax.training.loop import Epoch, Trainer, is_finished, train
from memorize_jax.training.processes import share_resume
from memorize_jax.training.rates import rate_stretches
from memorize_jax.training.state import TrainState, create_state, optimizer
from memorize_jax.training.watch import NotFiniteLossError

__all__ = [
    "Ensemble",
    "Epoch",
    "NotFiniteLossError",
    "TrainState",
    "Trainer",
    "create_state",
    "is_finished",
    "optimizer",
    "rate_stretches",
    "share_resume",
    "train",
    "train_together",
]
