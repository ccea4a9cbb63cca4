"""Trains a network on partly permuted labels and stores every epoch.

    python -m experiments.train --workdir=runs/mine --dataset=digits --model=mlp --permuted_fraction=0.5

The same command run again goes on where the run stopped, however it stopped; with larger --epochs, --stop_accuracy or
--extra_epochs a finished run goes on too.
"""

import dataclasses
import pathlib

import jax
import numpy as np

from experiments import cli, interruption
from experiments.progress import bar
from experiments.resume import halve_rate, read_restores, resume_point
from memorize_jax import data, models
from memorize_jax.checkpoints import EpochStore, check_space, reached_preemption
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.keys import stream
from memorize_jax.locks import locked
from memorize_jax.results import METRICS, write_table
from memorize_jax.runs import Run, check_same_run, check_writable, write_config, write_labels
from memorize_jax.training import (
    NotFiniteLossError,
    create_state,
    is_finished,
    optimizer,
    rate_stretches,
    train,
)


def prepare(workdir: str | pathlib.Path, config: RunConfig) -> tuple[Splits, PermutedLabels]:
    """Checks everything that can be wrong before anything is written, and loads what the run needs.

    Args:
      workdir: folder of the run.
      config: RunConfig.

    Returns:
      (data, training labels).

    Raises:
      ValueError, OSError: one clear sentence.
    """
    config.validate()
    check_writable(Run(workdir).workdir)
    check_same_run(Run(workdir), config)
    splits = data.load(config.dataset, data_dir=config.data_dir, num_train=config.num_train)
    models.check_input(config.model, splits.train.images.shape[1:])
    _check_space(Run(workdir), config, splits)
    labels = data.permute_labels(
        splits.train.labels,
        config.permuted_fraction,
        key=stream(config.seed, "permutation"),
        num_classes=splits.train.num_classes,
        mode=config.permutation,
    )
    return splits, labels


def _check_space(folder, config, splits):
    """Raises OSError unless all epochs fit on the disk."""
    model = models.create(config.model, num_classes=splits.train.num_classes, width=config.width, init=config.init)
    sample = jax.ShapeDtypeStruct((1, *splits.train.images.shape[1:]), np.float32)
    tx = optimizer(config.learning_rate)
    state = jax.eval_shape(lambda sample: create_state(model, sample, seed=config.seed, tx=tx), sample)
    size = lambda leaf: leaf.size * leaf.dtype.itemsize
    check_space(
        folder.checkpoints,
        config.keep,
        config.keep_dtype,
        epochs=config.epochs,
        leaf_bytes=[size(leaf) for leaf in jax.tree.leaves(state.variables)],
        state_bytes=[size(leaf) for leaf in jax.tree.leaves(state)],
    )


def run(workdir: str | pathlib.Path, config: RunConfig, prepared: tuple[Splits, PermutedLabels] | None = None) -> None:
    """Trains, or goes on training, the run in a folder.

    Args:
      workdir: folder of the run; made if needed.
      config: RunConfig.
      prepared: what `prepare` returned, if it was called before.

    Raises:
      Terminated: the process was asked to end; everything up to the last epoch is stored.
      NotFiniteLossError: the loss is NaN or infinite; says what can be done.
      OSError: the disk is full, or the folder is gone or in use by another process.
    """
    splits, labels = prepared or prepare(workdir, config)
    folder = Run(workdir)
    with locked(folder.workdir):
        # Once more: another process may have made a run here since `prepare`.
        check_same_run(folder, config)
        write_config(folder, config)
        write_labels(folder, labels, config)
        finished = False
        while not finished:
            with EpochStore(folder.checkpoints, keep=config.keep, keep_dtype=config.keep_dtype) as store:
                try:
                    _train(folder, config, store, splits, labels)
                    finished = True
                except NotFiniteLossError as error:
                    halve_rate(folder, config, error)


def _train(folder, config, store, splits, labels):
    """Trains from the newest sound epoch to the end."""
    resume = resume_point(folder, config, store, splits, labels)
    rows = [] if resume is None else list(resume[2])

    def on_epoch(epoch):
        if not folder.config.is_file():
            raise FileNotFoundError(f"{folder.workdir} is gone; was the run moved or deleted?")
        rows.append({"epoch": epoch.number, **epoch.metrics})
        stop = seconds_left() is not None or reached_preemption(epoch.number)
        accuracies = [row["test_accuracy"] for row in rows]
        store.save(
            epoch.number,
            epoch.state.variables,
            epoch.state,
            complete=epoch.is_last or stop,
            test_accuracies=accuracies,
        )
        write_table(folder.metrics, rows, METRICS)
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
        bar("training", "epoch", config.epochs + 1, done=len(rows)) as progress,
    ):
        for rate, end in rate_stretches(read_restores(folder), config.learning_rate, config.epochs):
            if resume is not None and (end <= resume[0] or is_finished(config, resume[0], rows)):
                continue
            stretch = dataclasses.replace(config, learning_rate=rate, epochs=end)
            state = train(stretch, splits, labels, on_epoch, resume=resume, on_step=on_step)
            resume = (len(rows) - 1, state, rows)


def main() -> None:
    """Reads the flags and trains."""
    workdir = cli.required_workdir()
    run(workdir, cli.chosen().run)
    print(f"trained: {workdir}; next: python -m experiments.geometry --workdir={workdir}")


if __name__ == "__main__":
    cli.start(main, cli.define_workdir, cli.define_preset, cli.define_run)
