"""The loss, the training step and the evaluation step: pure, per device, summed over the axis "data"."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from memorize_jax.data.standardize import ChannelStatistics, standardize
from memorize_jax.training.state import TrainState

AXIS = "data"


class Batch(NamedTuple):
    """Which examples of the data set one device sees in a step; the mask is 0 for padding of the last short batch."""

    indices: Int[jax.Array | np.ndarray, "*axes n"]
    mask: Float[jax.Array | np.ndarray, "*axes n"]


def cross_entropy(
    logits: Float[jax.Array | np.ndarray, "*n classes"], labels: Int[jax.Array | np.ndarray, "*n"]
) -> Float[jax.Array, "*n"]:
    """Cross-entropy of each example: -N_label(x) + log sum_c exp N_c(x) (paper eqs. 1 and 5), at least in float32."""
    wide = jnp.asarray(logits, jnp.promote_types(logits.dtype, jnp.float32))
    return optax.softmax_cross_entropy_with_integer_labels(wide, labels)


def make_train_step(
    model: nn.Module, tx: optax.GradientTransformation, statistics: ChannelStatistics, *, dropout_key: Any = None
) -> Callable:
    """Builds one step of gradient descent on the mean loss of a global batch.

    It is (state, images [n, ...], labels [n], batch) -> (state, loss of the batch before the step), to be run under an
    axis named "data", as the model; the result is the same on every device and does not depend on their number. Each
    step derives its own key from `dropout_key` and its number, unless the model has no dropout.
    """

    def train_step(state: TrainState, images: jax.Array, labels: jax.Array, batch: Batch):
        inputs = standardize(images[batch.indices], statistics)
        # Padding is masked, never dropped: the loss is a mean over the real examples of all devices.
        # Of a batch whose examples are all left out the loss is 0.
        total = jnp.maximum(jax.lax.psum(jnp.sum(batch.mask), AXIS), jnp.finfo(batch.mask.dtype).tiny)
        rngs = {} if dropout_key is None else {"dropout": jax.random.fold_in(dropout_key, state.step)}

        def loss_of(params):
            variables = {"params": params, "batch_stats": state.batch_stats}
            how = {"train": True, "mask": batch.mask, "rngs": rngs}
            logits, updates = model.apply(variables, inputs, mutable=["batch_stats"], **how)
            losses = cross_entropy(logits, labels[batch.indices])
            return jnp.sum(losses * batch.mask) / total, updates.get("batch_stats", state.batch_stats)

        (loss, batch_stats), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.params)
        loss, gradient = jax.lax.psum((loss, gradient), AXIS)
        updates, opt_state = tx.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(params, batch_stats, opt_state, state.step + 1), loss

    return train_step


def scan_steps(train_step: Callable) -> Callable:
    """Turns a step into one that does several in one call, with a leading axis of steps on the batch and the losses."""

    def train_steps(state: TrainState, images: jax.Array, labels: jax.Array, batches: Batch):
        return jax.lax.scan(lambda state, batch: train_step(state, images, labels, batch), state, batches)

    return train_steps


def make_predict_step(model: nn.Module, statistics: ChannelStatistics) -> Callable:
    """Builds the evaluation of one batch: (variables, images, labels, batch) -> (predicted class [n], loss [n]).

    Where logits are NaN or infinite no class is predicted: -1, which no label equals.
    """

    def predict_step(variables, images: jax.Array, labels: jax.Array, batch: Batch):
        logits: Any = model.apply(variables, standardize(images[batch.indices], statistics), train=False)
        predicted = jnp.where(jnp.isfinite(logits).all(axis=-1), jnp.argmax(logits, axis=-1), -1)
        return predicted, cross_entropy(logits, labels[batch.indices])

    return predict_step
