"""Training of some layers of a network while all others stay as they are."""

import functools
from collections.abc import Collection, Iterator, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Int, Shaped

from memorize_jax.data import ChannelStatistics, standardize
from memorize_jax.models.batch_norm import BatchNorm
from memorize_jax.recipe import Loss, cross_entropy
from memorize_jax.training import TrainState
from memorize_jax.training.devices import split_batches
from memorize_jax.training.step import Batch
from memorize_jax.training.trainer import example_order

# Name of a module -> whether it is trained.
Trained = Mapping[str, Bool[Array | np.ndarray, ""] | np.bool_]


def retrained(
    state: TrainState,
    modules: Collection[str],
    data: tuple[Shaped[Array | np.ndarray, "n ..."], Int[Array | np.ndarray, " n"]],
    examples: Int[np.ndarray, " m"],
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    statistics: ChannelStatistics,
    seed: int,
    batch_size: int,
    loss: Loss = cross_entropy,
) -> Iterator[TrainState]:
    """Trains some modules of a network on some examples, endlessly; gives the state after every epoch.

    All other parameters and running statistics stay as they are, bit by bit, and so do what the frozen layers compute:
    their BatchNorm uses its running statistics, that of the trained modules those of the batch, as in training. The
    order of the examples depends on the seed and the epoch's number, as in training.

    Args:
      state: the first; its optimizer starts anew.
      modules: names, as of `LayerGroup.modules`.
      data: images and labels.
      examples: which of them.
      model: without dropout.
    """
    trained = {name: np.bool_(name in modules) for held in (state.params, state.batch_stats) for name in held}
    number = 0
    while True:
        number += 1
        order = examples[example_order(seed, number, len(examples))]
        for batch in split_batches(order, min(batch_size, len(examples)), 1):
            own = Batch(batch.indices[0], batch.mask[0])
            state = retrain_step(state, trained, *data, own, statistics, model=model, tx=tx, loss=loss)
        yield state


@functools.partial(jax.jit, static_argnames=("model", "tx", "loss"))
def retrain_step(
    state: TrainState,
    trained: Trained,
    images: Shaped[Array, "n ..."],
    labels: Int[Array, " n"],
    batch: Batch,
    statistics: ChannelStatistics,
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    loss: Loss = cross_entropy,
) -> TrainState:
    """One step of the optimizer on the mean loss of a batch; which modules move is an argument, not a program each."""
    inputs, total = standardize(images[batch.indices], statistics), jnp.sum(batch.mask)

    def loss_of(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        with nn.intercept_methods(functools.partial(_own_statistics, trained)):
            logits, changed = model.apply(variables, inputs, train=False, mask=batch.mask, mutable=["batch_stats"])
        losses = loss(logits, labels[batch.indices])
        return jnp.sum(losses * batch.mask) / total, changed.get("batch_stats", {})

    with jax.default_matmul_precision("highest"):
        gradient, statistics_after = jax.grad(loss_of, has_aux=True)(state.params)
    updates, opt_state = tx.update(gradient, state.opt_state, state.params)
    params = _where(trained, optax.apply_updates(state.params, updates), state.params)
    batch_stats = _where(trained, {**state.batch_stats, **statistics_after}, state.batch_stats)
    return TrainState(params, batch_stats, opt_state, state.step + 1)


def _own_statistics(trained, next_function, args, kwargs, context):
    """Lets a BatchNorm that is trained use the statistics of the batch, and any other its running ones."""
    module = context.module
    if not isinstance(module, BatchNorm) or context.method_name != "__call__":
        return next_function(*args, **kwargs)
    x, of_batch, mask = args
    found = next_function(*args, **kwargs)
    if of_batch:
        return found
    # Flax lets a module run once in a call; its twin has the same variables, and none of its own.
    twin = module.clone(parent=None, name=None)
    other, changed = twin.apply(module.variables, x, True, mask, mutable=["batch_stats"])
    for name, value in changed["batch_stats"].items():
        module.put_variable("batch_stats", name, value)
    return jnp.where(trained[module.name], other, found)


def _where(trained, new, old):
    """Of the trained modules the new leaves, of all others the old ones."""
    return {name: jax.tree.map(functools.partial(jnp.where, trained[name]), new[name], old[name]) for name in old}
