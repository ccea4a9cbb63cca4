"""Parts of the training set, and networks trained on each of them."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from memorize_jax import models
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.data.labels import stratified_choice
from memorize_jax.keys import stream
from memorize_jax.training import Trainer
from memorize_jax.training.watch import LossWatch


def subset_members(labels: PermutedLabels, ratio: float, *, seed: int, subset: int) -> Bool[np.ndarray, " n"]:
    """Which training examples belong to a subset: exactly round(ratio n), the same share of every stratum.

    A stratum is an assigned class with or without permuted labels. The subset follows from its number and the seed
    alone, whatever other subsets there are.
    """
    key = jax.random.fold_in(stream(seed, "subsets"), subset)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    strata = 2 * labels.assigned + labels.is_permuted
    chosen = stratified_choice(strata, round(ratio * len(strata)), int(strata.max()) + 1, rng)
    members = np.zeros(len(strata), bool)
    members[chosen] = True
    return members


def network_seed(seed: int, subset: int) -> int:
    """The seed of initialization and order of examples of a subset's network."""
    key = jax.random.fold_in(stream(seed, "networks of subsets"), subset)
    return int(jax.random.bits(key, dtype=np.uint32) >> 1)


class SubsetRuns(NamedTuple):
    """What is kept of networks that were trained on subsets.

    Attributes:
      correct: whether each predicts the assigned label of every training example, in its subset or not.
      trained_epochs: after which it fitted its own examples, or the last one.
      accuracy: on its own examples, then.
    """

    correct: Bool[np.ndarray, "runs n"]
    test_correct: Bool[np.ndarray, "runs m"]
    trained_epochs: Int[np.ndarray, " runs"]
    accuracy: Float[np.ndarray, " runs"]


def subset_training(config: RunConfig, splits: Splits, labels: PermutedLabels) -> Callable[..., SubsetRuns]:
    """Builds the function that trains a network on each of some subsets, compiled when it is first called.

    It takes members [runs, n], whether a subset has an example, and the seeds of the networks. Several are trained as
    one program, which pays on an accelerator; one is trained alone. An example that is not in a subset keeps its place
    in the batches with weight 0, so all networks take steps of the same shapes. Each network is judged at the epoch at
    which it stops by itself. The function raises ValueError for several subsets of a model that cannot be stacked, and
    NotFiniteLossError if a loss became NaN or infinite.

    Args:
      config: as that of a run; its seed is not used.
    """
    can_be_stacked = models.can_be_stacked(config.model)

    @functools.cache
    def compiled():
        return Trainer(config, splits, labels, weights=np.ones(len(labels.true)))

    def trainer_of(members, seeds):
        if len(seeds) > 1:
            shape = members.shape
            stacked = PermutedLabels(*(np.broadcast_to(leaf, shape) for leaf in labels))
            return Trainer(config, splits, stacked, seeds=seeds, weights=members)
        return compiled().of_seed(seeds[0], members[0])

    def train(members: Bool[np.ndarray, "runs n"], seeds: Sequence[int]) -> SubsetRuns:
        if len(seeds) > 1 and not can_be_stacked:
            raise ValueError(f"expected one subset at a time of {config.model}, which is no MLP, got {len(seeds)}")
        trainer = trainer_of(members, list(seeds))
        state = trainer.initial_state()
        return _train(trainer, state, config, splits, labels, members)

    return train


def _train(trainer, state, config, splits, labels, members):
    count = len(members)
    correct, test_correct = (np.zeros((count, len(split.labels)), bool) for split in splits)
    trained_epochs, accuracy = np.zeros(count, int), np.zeros(count)
    running, history = np.ones(count, bool), [[] for _ in range(count)]
    for epoch in range(1, config.epochs + 1):
        watch = LossWatch(epoch, config.learning_rate)
        # The sum of the losses of several networks is finite only if all of them are.
        state = trainer.run_epoch(
            state, epoch, lambda loss, watch=watch: watch.add(loss if count == 1 else loss.sum(axis=-1))
        )
        watch.finish(0.0)
        predicted, test_predicted = (np.reshape(leaf, (count, -1)) for leaf in trainer.predict(state.variables))
        right = predicted == labels.assigned
        own = np.sum(right & members, axis=1) / members.sum(axis=1)
        correct[running], accuracy[running], trained_epochs[running] = right[running], own[running], epoch
        test_correct[running] = (test_predicted == splits.test.labels)[running]
        for at in map(int, np.flatnonzero(running)):
            history[at].append(float(own[at]))
            running[at] = not config.ends_after(epoch, [0.0, *history[at]])
        if not running.any():
            break
    return SubsetRuns(correct, test_correct, trained_epochs, accuracy)
