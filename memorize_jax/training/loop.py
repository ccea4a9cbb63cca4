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
      state: after it; the next epoch reuses its memory, so a callback that keeps it must copy it.
      metrics: loss (mean over the training set on the assigned labels), the accuracies of `group_accuracies`, seconds.
      is_last: whether training of this seed ends here.
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
      on_step: called after every step; may raise to stop.

    Returns the last epoch, from which a later call resumes. Raises NotFiniteLossError, before `on_epoch` is called for
    that epoch, when the loss is NaN or infinite.
    """
    own_seeds = [config.seed] if seeds is None else list(seeds)
    number, state, rows = resume or Resume(-1, None, [[] for _ in own_seeds])
    rows = [list(own) for own in rows]
    # Of each seed that has finished, its last epoch: when training resumes before that, it keeps its place until then.
    last = {at: len(own) - 1 for at, own in enumerate(rows) if own and is_finished(config, len(own) - 1, own)}
    unfinished = [at for at in range(len(rows)) if at not in last]
    if not unfinished:
        return Resume(number, state, rows)
    places = list(range(len(rows)))
    for epoch in range(number):
        places = _narrowed(places, last, epoch)

    def program():
        if seeds is None:
            return Trainer(config, splits, labels)
        chosen = PermutedLabels(*(leaf[places] for leaf in labels))
        return Trainer(config, splits, chosen, seeds=[own_seeds[at] for at in places])

    trainer = program()
    if state is not None and len(places) < len(rows):
        state = take(state, places)
    while unfinished:
        if (narrowed := _narrowed(places, last, number)) != places:
            state, places = take(state, [places.index(at) for at in narrowed]), narrowed
            trainer = program()
        number += 1
        started = time.perf_counter()
        watch = LossWatch(number, config.learning_rate)
        chosen = np.array([places.index(at) for at in unfinished])

        def look(loss, watch=watch, chosen=chosen):
            # The sum of the losses is finite only if all of them are; those who have finished do not count.
            watch.add(loss if seeds is None else jnp.sum(loss[..., chosen], axis=-1))
            on_step()

        state = trainer.run_epoch(state, number, look) if state is not None else trainer.initial_state()
        found = {name: np.atleast_1d(value) for name, value in trainer.evaluate(state.variables).items()}
        watch.finish(float(np.sum(found["loss"][chosen])))
        found["seconds"] = np.full(len(places), (time.perf_counter() - started) / len(places))
        epochs = []
        for place, at in zip(map(int, chosen), unfinished, strict=True):
            rows[at].append({name: float(value[place]) for name, value in found.items()})
            if is_finished(config, number, rows[at]):
                last[at] = number
            own = state if seeds is None else take(state, place)
            epochs.append(Epoch(number, own, rows[at][-1], number > 0 and at in last, own_seeds[at]))
        on_epoch(*epochs)
        unfinished = [at for at in unfinished if at not in last]
    return Resume(number, state, rows)


def is_finished(config: RunConfig, number: int, history: list[dict]) -> bool:
    """Tells whether training ends after epoch `number`, given the metrics of the epochs 0 .. number."""
    return config.ends_after(number, [metrics["train_accuracy"] for metrics in history])


def _narrowed(places, last, number):
    """Who is in the program after epoch `number`: compiling anew costs seconds, a finished seed as much as others."""
    running = [at for at in places if last.get(at, number + 1) > number]
    return running if running and len(running) <= len(places) / 2 else places
