"""The training loop: epochs of pmapped steps, accuracies after each, a callback for everything else."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.training.state import Resume, TrainState, take
from memorize_jax.training.trainer import Trainer
from memorize_jax.training.watch import LossWatch


class Epoch(NamedTuple):
    """One finished epoch of one seed.

    Attributes:
      number: 0 is the network before training.
      state: TrainState after it; the next epoch reuses its memory, so a callback that keeps it must copy it.
      metrics: loss (mean over the training set on the assigned labels), the accuracies of `group_accuracies`, seconds.
      is_last: whether training of this seed ends here.
      seed: of the run.
    """

    number: int
    state: TrainState
    metrics: dict[str, float]
    is_last: bool
    seed: int


def train(
    config: RunConfig,
    splits: Splits,
    labels: PermutedLabels,
    on_epoch: Callable[..., None],
    *,
    seeds: Sequence[int] | None = None,
    resume: Resume | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Resume:
    """Trains one run, or several seeds as one program, until the labels are memorized or the epochs are used up.

    A seed that has finished stays in the program until such take half of its places; then the others are compiled
    anew. So the program follows from the epochs at which seeds finished, and interrupted training resumes with it.

    Args:
      labels: of the training set; with `seeds`, with a leading axis of seeds.
      on_epoch: called after every epoch, the untrained network (epoch 0) first, with its Epoch; with `seeds`, with
        those of all seeds that had not finished before.
      seeds: see `Trainer`.
      on_step: called after every step; may raise to stop.

    Returns:
      The last epoch, from which a later call resumes.

    Raises:
      NotFiniteLossError: the loss is NaN or infinite; names epoch, step and learning rate. `on_epoch` was not called
        for that epoch.
    """
    own_seeds = [config.seed] if seeds is None else list(seeds)
    number, state, rows = resume or Resume(-1, None, [[] for _ in own_seeds])
    rows = [list(own) for own in rows]
    is_done = lambda seed: bool(rows[seed]) and is_finished(config, len(rows[seed]) - 1, rows[seed])
    unfinished = [seed for seed in range(len(rows)) if not is_done(seed)]
    if not unfinished:
        return Resume(number, state, rows)
    places = _places([None if seed in unfinished else len(own) - 1 for seed, own in enumerate(rows)], number)

    def program():
        if seeds is None:
            return Trainer(config, splits, labels)
        chosen = PermutedLabels(*(leaf[places] for leaf in labels))
        return Trainer(config, splits, chosen, seeds=[own_seeds[seed] for seed in places])

    trainer = program()
    if state is not None and len(places) < len(rows):
        state = take(state, places)
    while unfinished:
        if state is not None and _is_worth_compiling(unfinished, places):
            state, places = take(state, [places.index(seed) for seed in unfinished]), unfinished
            trainer = program()
        number += 1
        started = time.perf_counter()
        watch = LossWatch(number, config.learning_rate)
        at = np.array([places.index(seed) for seed in unfinished])

        def look(loss, watch=watch, at=at):
            # The sum of the losses is finite only if all of them are; those who have finished do not count.
            watch.add(loss if seeds is None else jnp.sum(loss[..., at], axis=-1))
            on_step()

        state = trainer.run_epoch(state, number, look) if state is not None else trainer.initial_state()
        found = {name: np.atleast_1d(value) for name, value in trainer.evaluate(state.variables).items()}
        watch.finish(float(np.sum(found["loss"][at])))
        found["seconds"] = np.full(len(places), (time.perf_counter() - started) / len(places))
        epochs = []
        for place, seed in zip(map(int, at), unfinished, strict=True):
            rows[seed].append({name: float(value[place]) for name, value in found.items()})
            own = state if seeds is None else take(state, place)
            epochs.append(Epoch(number, own, rows[seed][-1], number > 0 and is_done(seed), own_seeds[seed]))
        on_epoch(*epochs)
        unfinished = [seed for seed in unfinished if not is_done(seed)]
    return Resume(number, state, rows)


def is_finished(config: RunConfig, number: int, history: list[dict]) -> bool:
    """Tells whether training ends after epoch `number`, given the metrics of the epochs 0 .. number."""
    return config.ends_after(number, [metrics["train_accuracy"] for metrics in history])


def _is_worth_compiling(unfinished, places):
    """Compiling anew costs seconds, carrying finished seeds along costs as much as they do."""
    return len(unfinished) <= len(places) / 2


def _places(finished_after, number):
    """The seeds that have places in the program after epoch `number`, given the last epoch of those that finished."""
    places = list(range(len(finished_after)))
    for epoch in range(number):
        unfinished = [seed for seed in places if finished_after[seed] is None or finished_after[seed] > epoch]
        if unfinished and _is_worth_compiling(unfinished, places):
            places = unfinished
    return places
