"""Training: a pure step, pmapped, and the loop around it, for one run or several seeds as one program."""

from memorize_jax.training.build import state_shapes
from memorize_jax.training.devices import share_resume
from memorize_jax.training.loop import Epoch, is_finished, train
from memorize_jax.training.state import Resume, TrainState, stack
from memorize_jax.training.trainer import Trainer
from memorize_jax.training.watch import NotFiniteLossError

__all__ = [
    "Epoch",
    "NotFiniteLossError",
    "Resume",
    "TrainState",
    "Trainer",
    "is_finished",
    "share_resume",
    "stack",
    "state_shapes",
    "train",
]
