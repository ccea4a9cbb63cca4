"""Several seeds of one network as one program: everything gets a leading axis of members."""

import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.training.accuracy import group_accuracies
from memorize_jax.training.devices import must_await_steps, replicate, split_batches
from memorize_jax.training.loop import Epoch, Trainer, compute_precision, example_order, is_finished
from memorize_jax.training.state import TrainState
from memorize_jax.training.step import AXIS, Batch, make_predict_step, make_train_step
from memorize_jax.training.watch import LossWatch


class Ensemble:
    """The compiled parts of several runs that differ in their seed alone; holds no training state.

    Args:
      configs: one for each member, equal but for the seed; a model without dropout.
      splits: the data, the same for all.
      labels: of the training set, one for each member.
    """

    def __init__(self, configs: Sequence[RunConfig], splits: Splits, labels: Sequence[PermutedLabels]):
        self.configs, self.splits, self.labels = list(configs), splits, list(labels)
        self.single = Trainer(self.configs[0], splits, self.labels[0])
        self._images, _ = self.single.train_arrays
        self._assigned = replicate(np.stack([one.assigned for one in self.labels]))
        self._test = self.single.test_arrays
        step = make_train_step(self.single.model, self.single.tx, self.single.statistics)
        self._step = jax.pmap(
            jax.vmap(step, in_axes=(0, None, 0, 0)),
            axis_name=AXIS,
            in_axes=(None, None, None, 0),
            out_axes=None,
            donate_argnums=(0,),
        )
        predict = make_predict_step(self.single.model, self.single.statistics)
        over_members = lambda labels_axis: jax.pmap(
            jax.vmap(predict, in_axes=(0, None, labels_axis, None)), axis_name=AXIS, in_axes=(None, None, None, 0)
        )
        self._predict_train, self._predict_test = over_members(0), over_members(None)

    def __len__(self):
        return len(self.configs)

    def initial_states(self) -> TrainState:
        """The members' states before the first step, with a leading axis."""
        return stack([self.single.initial_state(config.seed) for config in self.configs])

    def _batches(self, number):
        """Batches of an epoch, leaves [D, members, n]; each member has its own order."""
        num, batch_size = len(self.splits.train.labels), self.configs[0].batch_size
        orders = (example_order(config.seed, number, num) for config in self.configs)
        batches = [split_batches(order, batch_size, self.single.num_devices) for order in orders]
        for own in zip(*batches, strict=True):
            yield Batch(*(np.stack(leaves, axis=1) for leaves in zip(*own, strict=True)))

    def run_epoch(
        self, states: TrainState, number: int, on_step: Callable[[jax.Array], None] = lambda losses: None
    ) -> TrainState:
        """Trains every member on every example once, each in the order that its own run would take.

        Args:
          states: with a leading axis of members; used up.
          number: of the epoch.
          on_step: called after each step with the members' losses.

        Returns:
          states after it.
        """
        states = replicate(states)
        for batch in self._batches(number):
            with compute_precision(self.configs[0]):
                states, losses = self._step(states, self._images, self._assigned, batch)
            if must_await_steps():
                jax.block_until_ready(states)
            on_step(losses)
        return states

    def evaluate(self, variables: dict) -> list[dict[str, float]]:
        """Loss and accuracies of every member.

        Args:
          variables: params and batch_stats with a leading axis of members.

        Returns:
          for each member what `Trainer.evaluate` returns.
        """
        variables = replicate(variables)
        predicted, losses = self._predict_all(self._predict_train, variables, self._images, self._assigned)
        test_predicted, _ = self._predict_all(self._predict_test, variables, *self._test)
        return [
            {"loss": float(np.mean(loss)), **group_accuracies(own, labels, own_test, self.splits.test.labels)}
            for own, own_test, loss, labels in zip(predicted, test_predicted, losses, self.labels, strict=True)
        ]

    def _predict_all(self, predict, variables, images, labels):
        num, batch_size = len(images), self.configs[0].batch_size
        parts = []
        for batch in split_batches(np.arange(num), batch_size, self.single.num_devices):
            with compute_precision(self.configs[0]):
                parts.append(predict(variables, images, labels, batch))
            if must_await_steps():
                jax.block_until_ready(parts[-1])
        # [D, members, n] of each batch to [members, D n].
        flat = lambda leaf: np.moveaxis(np.asarray(leaf), 1, 0).reshape(len(self), -1)[:, :batch_size]
        return [np.concatenate([flat(part) for part in leaves], axis=1)[:, :num] for leaves in zip(*parts, strict=True)]


def stack(trees: Sequence):
    """Stacks pytrees of equal structure along a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def train_together(
    configs: Sequence[RunConfig],
    splits: Splits,
    labels: Sequence[PermutedLabels],
    on_epoch: Callable[[int, Epoch], None],
    *,
    resume: tuple[int, Sequence[TrainState | None], Sequence[list[dict]]] | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """Trains several seeds as one program, each until it has memorized its labels or used up its epochs.

    Which members are in the program at an epoch follows from the epochs at which they finished, so that training that
    was interrupted goes on with the same program.

    Args:
      configs: of the members, equal but for the seed.
      splits: the data.
      labels: of each member's training set.
      on_epoch: called with the member's position and its Epoch, for every member that has not finished.
      resume: (epoch, states after it, metrics), the last two one for each member, to go on from: of a member that has
        finished all its metrics and any state, of the others the metrics up to that epoch. Epoch -1 and no states
        begin at the beginning.
      on_step: called after every step; may raise to stop.

    Raises:
      NotFiniteLossError: the loss of one of the members is NaN or infinite.
    """
    number, states, histories = resume or (-1, (), [[] for _ in configs])
    histories = [list(rows) for rows in histories]
    is_done = lambda m: bool(histories[m]) and is_finished(configs[m], len(histories[m]) - 1, histories[m])
    members = _carried([len(rows) - 1 if is_done(m) else None for m, rows in enumerate(histories)], number)
    ensemble = Ensemble([configs[m] for m in members], splits, [labels[m] for m in members])
    states = stack([states[m] for m in members]) if number >= 0 else ()
    unfinished = [m for m in members if not is_done(m)]
    while unfinished:
        if number >= 0 and _is_worth_compiling(unfinished, members):
            rows = np.array([members.index(m) for m in unfinished])
            states = jax.tree.map(lambda leaf, rows=rows: leaf[rows], states)
            members = unfinished
            ensemble = Ensemble([configs[m] for m in members], splits, [labels[m] for m in members])
        number += 1
        started = time.perf_counter()
        watch = LossWatch(number, configs[0].learning_rate)
        rows = np.array([members.index(m) for m in unfinished])

        def look(losses, watch=watch, rows=rows):
            # The sum of the losses is finite only if all of them are; those who have finished do not count.
            watch.add(jnp.sum(losses[rows]))
            on_step()

        states = ensemble.run_epoch(states, number, look) if number else ensemble.initial_states()
        _finish_epoch(ensemble, members, number, states, histories, on_epoch, started, watch, unfinished)
        unfinished = [m for m in unfinished if not is_done(m)]


def _is_worth_compiling(unfinished, members):
    """Compiling anew costs seconds, carrying finished members along costs as much as they do."""
    return len(unfinished) <= len(members) / 2


def _carried(finished_after, number):
    """The members whose places the program has after epoch `number`, given the last epoch of those that finished."""
    members = list(range(len(finished_after)))
    for epoch in range(number):
        unfinished = [m for m in members if finished_after[m] is None or finished_after[m] > epoch]
        if unfinished and _is_worth_compiling(unfinished, members):
            members = unfinished
    return members


def _finish_epoch(ensemble, members, number, states, histories, on_epoch, started, watch, unfinished):
    found = ensemble.evaluate(states.variables)
    watch.finish(sum(metrics["loss"] for member, metrics in zip(members, found, strict=True) if member in unfinished))
    seconds = (time.perf_counter() - started) / len(members)
    for row, (member, metrics) in enumerate(zip(members, found, strict=True)):
        if member not in unfinished:
            continue
        histories[member].append({**metrics, "seconds": seconds})
        state = jax.tree.map(lambda leaf, row=row: leaf[row], states)
        is_last = is_finished(ensemble.configs[row], number, histories[member])
        on_epoch(member, Epoch(number, state, histories[member][-1], is_last=is_last and number > 0))
