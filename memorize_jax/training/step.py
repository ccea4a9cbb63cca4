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
from memorize_jax.recipe import Augmentation, Loss, cross_entropy
from memorize_jax.training.state import TrainState

AXIS = "data"


class Batch(NamedTuple):
    """Which examples of the data set one device sees in a step; the mask is 0 for padding of the last short batch."""

    indices: Int[jax.Array | np.ndarray, "*axes n"]
    mask: Float[jax.Array | np.ndarray, "*axes n"]


class StepKeys(NamedTuple):
    """Random keys of one run, from which each step derives its own by its number; not used if nothing is random."""

    dropout: jax.Array
    augmentation: jax.Array


def make_train_step(
    model: nn.Module,
    tx: optax.GradientTransformation,
    statistics: ChannelStatistics,
    *,
    loss: Loss = cross_entropy,
    augment: Augmentation | None = None,
) -> Callable:
    """Builds one step of gradient descent on the mean loss of a global batch.

    It is (state, keys, images [n, ...], labels [n], batch) -> (state, loss of the batch before the step), to be run
    under an axis named "data", as the model; the result is the same on every device and does not depend on their
    number.
    """

    def train_step(state: TrainState, keys: StepKeys, images: jax.Array, labels: jax.Array, batch: Batch):
        dropout_key, augmentation_key = (jax.random.fold_in(key, state.step) for key in keys)
        inputs = images[batch.indices]
        if augment is not None:
            inputs = augment(augmentation_key, inputs, jnp.asarray(batch.indices))
        inputs = standardize(inputs, statistics)
        # Padding is masked, never dropped: the loss is a mean over the real examples of all devices.
        # Of a batch whose examples are all left out the loss is 0.
        total = jnp.maximum(jax.lax.psum(jnp.sum(batch.mask), AXIS), jnp.finfo(batch.mask.dtype).tiny)

        def loss_of(params):
            variables = {"params": params, "batch_stats": state.batch_stats}
            how = {"train": True, "mask": batch.mask, "rngs": {"dropout": dropout_key}}
            logits, updates = model.apply(variables, inputs, mutable=["batch_stats"], **how)
            losses = loss(logits, labels[batch.indices])
            return jnp.sum(losses * batch.mask) / total, updates.get("batch_stats", state.batch_stats)

        (value, batch_stats), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.params)
        value, gradient = jax.lax.psum((value, gradient), AXIS)
        updates, opt_state = tx.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(params, batch_stats, opt_state, state.step + 1), value

    return train_step


def scan_steps(train_step: Callable) -> Callable:
    """Turns a step into one that does several in one call, with a leading axis of steps on the batch and the losses."""

    def train_steps(state: TrainState, keys: StepKeys, images: jax.Array, labels: jax.Array, batches: Batch):
        return jax.lax.scan(lambda state, batch: train_step(state, keys, images, labels, batch), state, batches)

    return train_steps


def map_batches(predict_step: Callable) -> Callable:
    """Turns an evaluation into one of several batches in one call, with a leading axis of batches on all it returns."""

    def predict_batches(variables, images: jax.Array, labels: jax.Array, batches: Batch):
        return jax.lax.map(lambda batch: predict_step(variables, images, labels, batch), batches)

    return predict_batches


def make_predict_step(model: nn.Module, statistics: ChannelStatistics, *, loss: Loss = cross_entropy) -> Callable:
    """Builds the evaluation of one batch: (variables, images, labels, batch) -> (predicted class [n], loss [n]).

    Where logits are NaN or infinite no class is predicted: -1, which no label equals.
    """

    def predict_step(variables, images: jax.Array, labels: jax.Array, batch: Batch):
        logits: Any = model.apply(variables, standardize(images[batch.indices], statistics), train=False)
        predicted = jnp.where(jnp.isfinite(logits).all(axis=-1), jnp.argmax(logits, axis=-1), -1)
        return predicted, loss(logits, labels[batch.indices])

    return predict_step
