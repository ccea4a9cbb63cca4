"""Where a run goes on: the newest sound training state, with sound networks before it."""

import dataclasses
import sys

import jax

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.progress import bar
from memorize_jax.runs import metrics
from memorize_jax.runs.folder import Run
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import note_provenance, read_noted
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.training import NotFiniteLossError, Trainer, TrainState, is_finished, rate_stretches, train

# Beyond a thousandth of the rate it is not the rate.
MOST_RESTORES = 10


def resume_point(
    folder: Run, config: RunConfig, store: EpochStore, splits: Splits, labels: PermutedLabels
) -> tuple[int, TrainState, list[dict]] | None:
    """Finds the newest sound training state, forgets later epochs, and mends earlier ones that are damaged.

    Args:
      folder: of the run.
      config: RunConfig.
      store: of the run.
      splits: the data.
      labels: of the training set.

    Returns:
      (epoch, state after it, rows of metrics.csv up to it), or None to begin at the beginning.
    """
    found, rows = None, stored_rows(folder)
    if rows:
        template = Trainer(config, splits, labels).initial_state()
        found = store.load_training_state(template, not_after=len(rows) - 1, on_damage=say)
    if found is None:
        if stored := store.epochs():
            say(f"no training state is left in {folder.workdir}: training begins anew, over {len(stored)} epochs")
        store.forget_after(-1)
        return None
    number, state = found
    rows = rows[: number + 1]
    store.forget_after(number)
    accuracies = [row["test_accuracy"] for row in rows]
    faults = store.faults(accuracies, finished=is_finished(config, number, rows))
    for fault in faults.values():
        say(fault)
    if number in faults:
        store.rewrite(number, state.variables, test_accuracies=accuracies)
    _mend(folder, config, store, splits, labels, set(faults) - {number}, accuracies)
    return number, state, rows


def _mend(folder, config, store, splits, labels, epochs, accuracies):
    """Trains the damaged epochs once more from the start: the same seed, the same bits."""
    if not epochs:
        return
    if jax.process_count() > 1:
        raise ValueError(f"{folder.workdir}: damaged epochs are mended by one process alone; run the command with one")
    last = max(epochs)
    note_provenance(folder)
    say(f"training from the start again up to epoch {last}, to replace what is damaged; nothing else changes")

    def on_epoch(epoch):
        progress.update()
        if epoch.number in epochs:
            store.rewrite(epoch.number, epoch.state.variables, test_accuracies=accuracies)

    resume = None
    with bar("mending", "epoch", last + 1) as progress:
        for rate, end in rate_stretches(read_restores(folder), config.learning_rate, last):
            stretch = dataclasses.replace(config, learning_rate=rate, epochs=min(end, last), stop_accuracy=1.0)
            state = train(stretch, splits, labels, on_epoch, resume=resume)
            resume = (end, state, [{"train_accuracy": 0.0}] * (end + 1))


def read_restores(folder: Run) -> list[dict]:
    """The times the learning rate was halved, in order; see `--on_nan=restore`."""
    return metrics.read_restores(folder.workdir, read_noted(folder).identity) if folder.config.is_file() else []


def halve_rate(folder: Run, config: RunConfig, error: NotFiniteLossError) -> None:
    """Notes that the learning rate is halved from the epoch on that failed, which a later resume respects.

    Args:
      folder: of the run.
      config: RunConfig.
      error: what happened.

    Raises:
      NotFiniteLossError: `config.on_nan` says to stop, or halving has not helped; says what can be done.
    """
    restores = read_restores(folder)
    sound = error.epoch - 1
    place = f"the last sound epoch is {sound}" if sound >= 0 else "no epoch was sound"
    if config.on_nan == "stop":
        error.advise(f"{place}; lower --learning_rate in another --workdir, or go on with --on_nan=restore")
        raise error
    if sound < 0 or len(restores) >= MOST_RESTORES:
        error.advise(f"{place}, and halving the rate {len(restores)} times has not helped")
        raise error
    lowered = error.learning_rate / 2
    happened = {"epoch": sound, "failed_epoch": error.epoch, "failed_step": error.step, "learning_rate": lowered}
    metrics.write_restores(folder.workdir, [*restores, happened], read_noted(folder).identity)
    say(f"{error}; going on after epoch {sound} at {lowered:g}")


def say(text: str) -> None:
    """Writes a warning to standard error."""
    print(f"warning: {text}", file=sys.stderr)
