"""The training loop: epochs of pmapped steps, accuracies after each, a callback for everything else."""

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from memorize_jax import models
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits, channel_statistics, standardize
from memorize_jax.keys import stream
from memorize_jax.training.accuracy import group_accuracies
from memorize_jax.training.devices import must_await_steps, replicate, split_batches
from memorize_jax.training.processes import gather_rows, local_rows
from memorize_jax.training.state import TrainState, create_state, optimizer
from memorize_jax.training.step import AXIS, Batch, make_predict_step, make_train_step, scan_steps
from memorize_jax.training.watch import LossWatch

# Precision of a run -> the type that activations have, and the precision of products.
COMPUTE = {
    "float32": (jax.numpy.float32, "highest"),
    "tf32": (jax.numpy.float32, "tensorfloat32"),
    "bfloat16": (jax.numpy.bfloat16, "default"),
    "float64": (jax.numpy.float64, "highest"),
}
# Enough to hide the call behind the steps, few enough that a stop need not wait long.
STEPS_PER_CALL = 16


class Epoch(NamedTuple):
    """One finished epoch.

    Attributes:
      number: 0 is the network before training.
      state: TrainState after it; the next epoch reuses its memory, so a callback that keeps it must copy it.
      metrics: loss (mean over the training set on the assigned labels), the accuracies of `group_accuracies`, seconds.
      is_last: whether training ends here.
    """

    number: int
    state: TrainState
    metrics: dict[str, float]
    is_last: bool


class Trainer:
    """The compiled parts of one run; holds no training state.

    Args:
      config: RunConfig.
      splits: the data.
      labels: of the training set.
    """

    def __init__(self, config: RunConfig, splits: Splits, labels: PermutedLabels):
        self.config, self.splits, self.labels = config, splits, labels
        self.statistics = channel_statistics(splits.train.images, config.scaling)
        self.model = models.create(
            config.model,
            num_classes=splits.train.num_classes,
            width=config.width,
            dtype=COMPUTE[config.dtype][0],
            init=config.init,
            dropout=config.dropout,
            axis_name=AXIS,
        )
        self.tx = optimizer(config.learning_rate)
        self.num_devices = jax.device_count()
        self.train_arrays = replicate((splits.train.images, labels.assigned))
        self.test_arrays = replicate((splits.test.images, splits.test.labels))
        step = make_train_step(self.model, self.tx, self.statistics, dropout_key=stream(config.seed, "dropout"))
        over_devices = functools.partial(
            jax.pmap, axis_name=AXIS, in_axes=(None, None, None, 0), out_axes=None, donate_argnums=(0,)
        )
        self._step, self._steps = over_devices(step), over_devices(scan_steps(step))
        self._steps_per_call = config.steps_per_call or (1 if jax.default_backend() == "cpu" else STEPS_PER_CALL)
        predict = make_predict_step(self.model, self.statistics)
        self._predict = jax.pmap(predict, axis_name=AXIS, in_axes=(None, None, None, 0))

    def initial_state(self, seed: int | None = None) -> TrainState:
        """The state before the first step, of this run or of one with another seed."""
        sample = standardize(jax.numpy.asarray(self.splits.train.images[:1]), self.statistics)
        return create_state(self.model, sample, seed=self.config.seed if seed is None else seed, tx=self.tx)

    def step(self, state: TrainState, batch: Batch) -> tuple[TrainState, jax.Array]:
        """One step.

        Args:
          state: used up.
          batch: leaves [D, n], for the devices of all processes.

        Returns:
          (state after it, loss before it).
        """
        with compute_precision(self.config):
            return self._step(state, *self.train_arrays, local_rows(batch))

    def _several_steps(self, state, batches):
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *map(local_rows, batches))
        with compute_precision(self.config):
            return self._steps(state, *self.train_arrays, stacked)

    def run_epoch(
        self, state: TrainState, number: int, on_step: Callable[[jax.Array], None] = lambda loss: None
    ) -> TrainState:
        """Trains on every example once, in an order that depends on the seed and the epoch's number alone.

        Args:
          state: TrainState, which is used up.
          number: of the epoch.
          on_step: called after each call to the device with the loss of its step, or [steps] of its steps, which may
            not be there yet; may raise to stop.

        Returns:
          TrainState after it.
        """
        order = example_order(self.config.seed, number, len(self.labels.assigned))
        state = replicate(state)
        batches = split_batches(order, self.config.batch_size, self.num_devices)
        while batches:
            # What is left of the last call is done step by step: another length would be compiled anew.
            several = len(batches) >= self._steps_per_call > 1
            now, batches = _cut(batches, self._steps_per_call if several else 1)
            state, loss = self._several_steps(state, now) if several else self.step(state, now[0])
            if must_await_steps():
                jax.block_until_ready(state)
            on_step(loss)
        return state

    def evaluate(self, variables: dict) -> dict[str, float]:
        """Loss and accuracies of a network.

        Args:
          variables: params and batch_stats.

        Returns:
          loss and the entries of `group_accuracies`.
        """
        variables = replicate(variables)
        predicted, losses = self._predict_all(variables, self.train_arrays)
        test_predicted, _ = self._predict_all(variables, self.test_arrays)
        accuracies = group_accuracies(predicted, self.labels, test_predicted, self.splits.test.labels)
        return {"loss": float(np.mean(losses)), **accuracies}

    def _predict_all(self, variables, data):
        num = len(data[1])
        parts = []
        for batch in split_batches(np.arange(num), self.config.batch_size, self.num_devices):
            with compute_precision(self.config):
                parts.append(self._predict(variables, *data, local_rows(batch)))
            if must_await_steps():
                jax.block_until_ready(parts[-1])
        gathered = (gather_rows(np.stack([np.asarray(part) for part in leaf])) for leaf in zip(*parts, strict=True))
        flat = [rows.reshape(len(parts), -1)[:, : self.config.batch_size].ravel()[:num] for rows in gathered]
        return flat[0], flat[1]


def compute_precision(config: RunConfig):
    """Context in which a run's steps are traced: the precision of their products."""
    return jax.default_matmul_precision(COMPUTE[config.dtype][1])


def _cut(batches, number):
    return batches[:number], batches[number:]


def example_order(seed: int, number: int, num_examples: int) -> np.ndarray:
    """The order in which an epoch goes through the training set.

    Args:
      seed: of the run.
      number: of the epoch.
      num_examples: n.

    Returns:
      [n] indices; the same for the same seed and epoch, whatever the device or the version of jax.
    """
    key = jax.random.fold_in(stream(seed, "order"), number)
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()).permutation(num_examples)


def train(
    config: RunConfig,
    splits: Splits,
    labels: PermutedLabels,
    on_epoch: Callable[[Epoch], None],
    *,
    resume: tuple[int, TrainState, list[dict]] | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> TrainState:
    """Trains until the assigned labels are memorized, or the epochs are used up.

    Args:
      config: RunConfig.
      splits: the data.
      labels: of the training set.
      on_epoch: called after every epoch, the untrained network (epoch 0) first.
      resume: (epoch number, state after it, metrics of all epochs up to it) to go on from.
      on_step: called after every step; may raise to stop.

    Returns:
      The last TrainState.

    Raises:
      NotFiniteLossError: the loss is NaN or infinite; names epoch, step and learning rate. `on_epoch` was not called
        for that epoch.
    """
    trainer = Trainer(config, splits, labels)
    number, state, history = resume or (-1, None, [])
    history = list(history)
    while number < 0 or not is_finished(config, number, history):
        number += 1
        started = time.perf_counter()
        watch = LossWatch(number, config.learning_rate)

        def look(loss, watch=watch):
            watch.add(loss)
            on_step()

        state = trainer.run_epoch(state, number, look) if number else trainer.initial_state()
        metrics = trainer.evaluate(state.variables)
        watch.finish(metrics["loss"])
        metrics["seconds"] = time.perf_counter() - started
        history.append(metrics)
        on_epoch(Epoch(number, state, metrics, is_last=number > 0 and is_finished(config, number, history)))
    return state


def is_finished(config: RunConfig, number: int, history: list[dict]) -> bool:
    """Tells whether training ends after epoch `number`.

    Args:
      config: RunConfig.
      number: of the last finished epoch.
      history: metrics of the epochs 0 .. number.

    Returns:
      as `RunConfig.ends_after`.
    """
    return config.ends_after(number, [metrics["train_accuracy"] for metrics in history])
