"""The compiled parts of training: a step over all devices, an epoch of them, and the accuracies after it."""

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Int, Shaped

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits, channel_statistics, standardize
from memorize_jax.keys import stream
from memorize_jax.training.accuracy import group_accuracies
from memorize_jax.training.build import (
    COMPUTE,
    build_augmentation,
    build_loss,
    build_model,
    build_optimizer,
    step_keys,
)
from memorize_jax.training.checks import check_config, check_labels, check_weights
from memorize_jax.training.devices import (
    MOST_PADDING,
    gather_rows,
    local_rows,
    must_await_steps,
    replicate,
    split_batches,
)
from memorize_jax.training.state import TrainState, create_state, stack
from memorize_jax.training.step import (
    AXIS,
    Batch,
    make_predict_step,
    make_train_step,
    map_batches,
    scan_steps,
)

# Numbers in the inputs of one batch of evaluation, at most; larger ones than in training, for small examples.
EVALUATED_AT_ONCE = 2**18
# Enough to hide the call behind the steps, few enough that a stop need not wait long.
STEPS_PER_CALL = 16


class Trainer:
    """The compiled parts of one run, or of several that differ in the seed alone; holds no training state.

    Args:
      labels: of the training set; with `seeds`, with a leading axis of seeds.
      seeds: trained as one program: states, batches and losses have a leading axis of seeds, and each seed takes the
        steps of its own run. For a model without dropout. None for the run of `config.seed`, without such an axis.
      weights: of every training example in the loss, 0 for one that is left out; None for 1.
    """

    def __init__(
        self,
        config: RunConfig,
        splits: Splits,
        labels: PermutedLabels,
        *,
        seeds: Sequence[int] | None = None,
        weights: Shaped[np.ndarray, "*seeds n"] | None = None,
    ):
        check_config(config)
        shape = (*(() if seeds is None else (len(seeds),)), len(splits.train.images))
        check_labels(labels.assigned, shape, splits.train.num_classes)
        check_weights(weights, shape)
        self.config, self.splits, self.labels, self.seeds = config, splits, labels, seeds
        self._weights = None if weights is None else np.asarray(weights, np.float32)
        self.statistics = channel_statistics(splits.train.images, config.scaling)
        self.model, self.tx = build_model(config, splits), build_optimizer(config, splits)
        self.loss, self.augment = build_loss(config, splits), build_augmentation(config, splits)
        self.num_devices = jax.device_count()
        self._axes = () if seeds is None else (len(seeds),)
        test_labels = np.broadcast_to(splits.test.labels, (*self._axes, len(splits.test.labels)))
        self.train_arrays = replicate((splits.train.images, labels.assigned))
        self.test_arrays = replicate((splits.test.images, test_labels))
        self._keys = replicate(step_keys(config.seed) if seeds is None else stack([step_keys(seed) for seed in seeds]))
        step = make_train_step(self.model, self.tx, self.statistics, loss=self.loss, augment=self.augment)
        predict = make_predict_step(self.model, self.statistics, loss=self.loss)
        if seeds is not None:
            step, predict = jax.vmap(step, in_axes=(0, 0, None, 0, 0)), jax.vmap(predict, in_axes=(0, None, 0, None))
        over_devices = functools.partial(jax.pmap, axis_name=AXIS, in_axes=(None, None, None, 0))
        over_steps = functools.partial(
            jax.pmap, axis_name=AXIS, in_axes=(None, None, None, None, 0), out_axes=None, donate_argnums=(0,)
        )
        self._step, self._steps = over_steps(step), over_steps(scan_steps(step))
        self._predict, self._predict_several = over_devices(predict), over_devices(map_batches(predict))
        self._steps_per_call = config.steps_per_call or (1 if jax.default_backend() == "cpu" else STEPS_PER_CALL)

    def of_seed(self, seed: int, weights: Shaped[np.ndarray, " n"]) -> "Trainer":
        """The same compiled programs with another seed for all that is random, and other weights."""
        other = copy.copy(self)
        other.config, other._weights = dataclasses.replace(self.config, seed=seed), np.asarray(weights, np.float32)
        other._keys = replicate(step_keys(seed))
        return other

    def initial_state(self) -> TrainState:
        """The state before the first step."""
        sample = standardize(jax.numpy.asarray(self.splits.train.images[:1]), self.statistics)
        create = lambda seed: create_state(self.model, sample, seed=seed, tx=self.tx)
        return create(self.config.seed) if self.seeds is None else stack([create(seed) for seed in self.seeds])

    def step(self, state: TrainState, batch: Batch) -> tuple[TrainState, jax.Array]:
        """One step; uses up the state, and returns the one after it with the loss before it.

        Leaves of the batch are [D, n], or [D, seeds, n], for the devices of all processes.
        """
        with compute_precision(self.config):
            return self._step(state, self._keys, *self.train_arrays, local_rows(batch))

    def _several_steps(self, state, batches):
        with compute_precision(self.config):
            return self._steps(state, self._keys, *self.train_arrays, local_rows(_stack_second(batches)))

    def run_epoch(
        self, state: TrainState, number: int, on_step: Callable[[jax.Array], None] = lambda loss: None
    ) -> TrainState:
        """Trains on every example once, in an order that depends on the seed and the epoch's number alone.

        The state is used up. `on_step` is called after each call to the device with the loss of its step, or [steps] of
        its steps, which may not be there yet; it may raise to stop.
        """
        state, batches = replicate(state), self._batches(number)
        most = min(self._steps_per_call, len(batches))
        while batches:
            # What is left of the last call is done step by step: another length would be compiled anew.
            several = len(batches) >= most > 1 and batches[most - 1].mask.shape == batches[0].mask.shape
            count = most if several else 1
            now, batches = batches[:count], batches[count:]
            state, loss = self._several_steps(state, now) if several else self.step(state, now[0])
            if must_await_steps():
                jax.block_until_ready(state)
            on_step(loss)
        return state

    def _batches(self, number):
        seeds = [self.config.seed] if self.seeds is None else self.seeds
        orders = [example_order(seed, number, len(self.splits.train.labels)) for seed in seeds]
        size = self.config.batch_size
        batches = [split_batches(order, size, self.num_devices, MOST_PADDING) for order in orders]
        if self._weights is not None:
            own_weights = self._weights.reshape(len(seeds), -1)
            batches = [[_weighted(batch, own) for batch in of] for of, own in zip(batches, own_weights, strict=True)]
        return batches[0] if self.seeds is None else [_stack_second(own) for own in zip(*batches, strict=True)]

    def evaluate(self, variables: dict) -> dict[str, np.ndarray | np.float64]:
        """Loss (mean over the training set, on the assigned labels) and `group_accuracies`, with the axis of seeds."""
        variables = replicate(variables)
        predicted, losses = self._predict_all(variables, self.train_arrays)
        test_predicted, _ = self._predict_all(variables, self.test_arrays)
        accuracies = group_accuracies(predicted, self.labels, test_predicted, self.splits.test.labels)
        return {"loss": np.mean(losses, axis=-1).astype(float), **accuracies}

    def predict(self, variables: dict) -> tuple[Int[np.ndarray, "*seeds n"], Int[np.ndarray, "*seeds m"]]:
        """Predicted classes of the training and of the test set."""
        variables = replicate(variables)
        return self._predict_all(variables, self.train_arrays)[0], self._predict_all(variables, self.test_arrays)[0]

    def _predict_all(self, variables, data):
        # (predicted classes, losses), each [*seeds, n].
        num, parts = data[1].shape[-1], []
        batch_size = self._evaluation_batch_size(num)
        batches = split_batches(np.arange(num), batch_size, self.num_devices)
        if 1 < len(batches) <= self._steps_per_call:
            with compute_precision(self.config):
                found = self._predict_several(variables, *data, local_rows(_stack_second(batches)))
            parts, batches = list(zip(*(np.moveaxis(np.asarray(leaf), 1, 0) for leaf in found), strict=True)), []
        for batch in batches:
            with compute_precision(self.config):
                parts.append(self._predict(variables, *data, local_rows(batch)))
            if must_await_steps():
                jax.block_until_ready(parts[-1])
        gathered = [gather_rows(np.stack([np.asarray(part) for part in leaf])) for leaf in zip(*parts, strict=True)]
        return [self._in_order(leaf, batch_size)[..., :num] for leaf in gathered]

    def _evaluation_batch_size(self, num):
        """Of `num` examples: that of the training set, whose program serves both unless much of it were padding."""
        num_train, *shape = self.splits.train.images.shape
        most = max(self.config.batch_size, EVALUATED_AT_ONCE // math.prod(shape))
        # Of equal size, as few as there can be: nearly nothing is padding.
        in_train, own = (-(-count // -(-count // most)) for count in (num_train, num))
        return in_train if -num % in_train <= MOST_PADDING * (num_train + num) else own

    def _in_order(self, leaf, batch_size):
        # [batches, D, *seeds, n] as [*seeds, examples], without the padding of full batches.
        leaf = leaf if self.seeds is None else np.moveaxis(leaf, 2, 0)
        batches = leaf.reshape(*self._axes, leaf.shape[len(self._axes)], -1)
        return batches[..., :batch_size].reshape(*self._axes, -1)


def compute_precision(config: RunConfig):
    """Context in which a run's steps are traced: the precision of their products."""
    return jax.default_matmul_precision(COMPUTE[config.dtype][1])


def example_order(seed: int, number: int, num_examples: int) -> Int[np.ndarray, " n"]:
    """The order in which epoch `number` goes through the training set, whatever the device or the version of jax."""
    key = jax.random.fold_in(stream(seed, "order"), number)
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()).permutation(num_examples)


def _weighted(batch, weights):
    return batch._replace(mask=batch.mask * weights[batch.indices])


def _stack_second(batches):
    return jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *batches)
