"""What training carries from step to step."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from memorize_jax.keys import stream


class TrainState(NamedTuple):
    """State of training.

    Attributes:
      params: plain dict of the model's parameters.
      batch_stats: plain dict of running statistics; empty without BatchNorm.
      opt_state: of the optimizer.
      step: int32, steps done.
    """

    params: Any
    batch_stats: Any
    opt_state: Any
    step: jax.Array

    @property
    def variables(self) -> dict:
        """The model's variables as `model.apply` takes them."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def optimizer(learning_rate: float) -> optax.GradientTransformation:
    """Adam at a constant rate, without weight decay, as in the paper."""
    return optax.adam(learning_rate)


def create_state(model: nn.Module, sample: jax.Array, *, seed: int, tx: optax.GradientTransformation) -> TrainState:
    """Initializes parameters and optimizer.

    Args:
      model: flax.linen module.
      sample: [1, ...], one standardized input.
      seed: its stream "initialization" is used.
      tx: the optimizer.

    Returns:
      TrainState at step 0.
    """
    variables = model.init(stream(seed, "initialization"), sample, train=False)
    params = variables["params"]
    return TrainState(params, variables.get("batch_stats", {}), tx.init(params), jnp.int32(0))
