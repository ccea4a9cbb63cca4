"""Training: a pure step, pmapped, and the loop around it."""

from memorize_jax.training.loop import Epoch, Trainer, is_finished, train
from memorize_jax.training.state import TrainState

__all__ = ["Epoch", "TrainState", "Trainer", "is_finished", "train"]
