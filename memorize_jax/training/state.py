"""What training carries from step to step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from memorize_jax.keys import stream


class TrainState(NamedTuple):
    """State of training, after `step` steps; of several seeds trained together, leaves have a leading axis of seeds."""

    params: Any
    batch_stats: Any
    opt_state: Any
    step: jax.Array

    @property
    def variables(self) -> dict:
        """The model's variables as `model.apply` takes them."""
        return {"params": self.params, "batch_stats": self.batch_stats}


class Resume(NamedTuple):
    """Where training resumes.

    Attributes:
      number: the last finished epoch; -1 for the beginning.
      state: after it, None at the beginning; of several seeds, with their leading axis (of a seed that has finished,
        any state).
      rows: for each seed, the metrics of all epochs up to it; of a seed that has finished, of all its epochs.
    """

    number: int
    state: TrainState | None
    rows: list[list[dict]]


def create_state(model: nn.Module, sample: jax.Array, *, seed: int, tx: optax.GradientTransformation) -> TrainState:
    """Initializes parameters, by the stream "initialization" of the seed and one standardized input, and optimizer."""
    variables = model.init(stream(seed, "initialization"), sample, train=False)
    params = variables["params"]
    return TrainState(params, variables.get("batch_stats", {}), tx.init(params), jnp.int32(0))


def stack(trees: Sequence[Any]) -> Any:
    """Stacks pytrees of equal structure along a new leading axis, that of seeds."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def take(tree: Any, rows: int | Sequence[int]) -> Any:
    """Chooses one seed (the axis goes), or some, of a pytree with a leading axis of seeds."""
    at = rows if isinstance(rows, int) else jnp.array(rows)
    return jax.tree.map(lambda leaf: leaf[at], tree)
