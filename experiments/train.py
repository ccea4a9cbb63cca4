"""Trains a network on partly permuted labels and stores every epoch.

    python -m experiments.train --workdir=runs/mine --dataset=digits --model=mlp --permuted_fraction=0.5

With --seeds=0-9 it trains an ensemble, one run in a folder of its own for each seed.

The same command run again goes on where the run stopped, however it stopped; with larger --epochs, --stop_accuracy or
--extra_epochs a finished run goes on too.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

import jax

from experiments import cli, ensemble, processes
from experiments.members import parse_seeds
from experiments.resume import halve_rate, read_restores, resume_point
from experiments.run_folder import curves, enter, load_run_data, open_store, prepare, store_epoch
from memorize_jax import interruption
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.progress import bar
from memorize_jax.runs.folder import Run, check_no_sweep
from memorize_jax.runs.noted import note_provenance
from memorize_jax.storage.checkpoints import reached_preemption
from memorize_jax.storage.lock import locked
from memorize_jax.training import NotFiniteLossError, Trainer, is_finished, rate_stretches, share_resume, train


def run(
    workdir: str | pathlib.Path,
    config: RunConfig,
    prepared: tuple[Splits, PermutedLabels] | None = None,
    plan: Mapping | None = None,
) -> None:
    """Trains, or goes on training, the run in a folder.

    Args:
      workdir: folder of the run; made if needed.
      config: RunConfig.
      prepared: what `prepare` returned, if it was called before.
      plan: of `Preset.plan`: the settings that the run notes for its analyses; None for the defaults.

    Raises:
      Terminated: the process was asked to end; everything up to the last epoch is stored.
      NotFiniteLossError: the loss is NaN or infinite; says what can be done.
      OSError: the disk is full, or the folder is gone or in use by another process.
    """
    if jax.process_count() > 1 and config.on_nan != "stop":
        raise ValueError(f"expected on_nan=stop with several processes, got {config.on_nan}")
    if jax.process_index() > 0:
        _follow(config)
        return
    splits, labels = prepared or prepare(workdir, config)
    folder = Run(workdir)
    with locked(folder.workdir):
        noted = enter(folder, config, splits, labels, plan)
        finished = False
        while not finished:
            with open_store(folder, noted) as store:
                try:
                    _train(folder, noted, store, splits, labels)
                    finished = True
                except NotFiniteLossError as error:
                    halve_rate(folder, config, error)


def _train(folder, noted, store, splits, labels):
    """Trains from the newest sound epoch to the end."""
    config = noted.config
    resume = resume_point(folder, config, store, splits, labels)
    resume = share_resume(resume, lambda: Trainer(config, splits, labels).initial_state())
    rows = [] if resume is None else list(resume[2])
    if not rows or not is_finished(config, len(rows) - 1, rows):
        note_provenance(folder)

    def on_epoch(epoch):
        stop = seconds_left() is not None or reached_preemption(epoch.number)
        store_epoch(folder, store, rows, epoch, identity=noted.identity, stop=stop, draw=draw)
        shown = {"train": "train", "test": "test", "restored": "restored"}
        progress.set_postfix({name: f"{epoch.metrics[key + '_accuracy']:.1%}" for name, key in shown.items()})
        progress.update()
        if stop:
            raise interruption.Terminated

    def on_step():
        left = seconds_left()
        if left is not None and left < 0:
            raise interruption.Terminated

    with (
        interruption.deferred() as seconds_left,
        curves(folder, config, rows) as draw,
        bar("training", "epoch", config.epochs + 1, done=len(rows)) as progress,
    ):
        for rate, end in rate_stretches(read_restores(folder), config.learning_rate, config.epochs):
            if resume is not None and (end <= resume[0] or is_finished(config, resume[0], rows)):
                continue
            stretch = dataclasses.replace(config, learning_rate=rate, epochs=end)
            state = train(stretch, splits, labels, on_epoch, resume=resume, on_step=on_step)
            resume = (len(rows) - 1, state, rows)


def _follow(config):
    """Takes part in the training of process 0, which alone reads and writes the run's folder."""
    splits, labels = load_run_data(config)

    def on_epoch(epoch):
        if reached_preemption(epoch.number):
            raise interruption.Terminated

    resume = share_resume(None, lambda: Trainer(config, splits, labels).initial_state())
    train(config, splits, labels, on_epoch, resume=resume)


def main() -> None:
    """Reads the flags and trains."""
    workdir, flags, chosen = cli.required_workdir(), cli.FLAGS, cli.chosen()
    try:
        if flags.seeds:
            check_no_sweep(workdir)
            seeds = parse_seeds(flags.seeds)
            ensemble.run(workdir, chosen.run, seeds, run_one=run, plan=chosen.plan(), together=flags.together)
        else:
            run(workdir, chosen.run, plan=chosen.plan())
    except jax.errors.JaxRuntimeError as error:
        processes.leave_if_lost(error)
        raise
    if jax.process_index() == 0:
        print(f"trained: {workdir}; next: python -m experiments.geometry --workdir={workdir}")


if __name__ == "__main__":
    cli.start(main, *cli.of_training(), *processes.FLAGS, first=processes.join)
