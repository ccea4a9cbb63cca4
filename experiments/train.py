"""Trains a network on partly permuted labels and stores every epoch.

    python -m experiments.train --workdir=runs/mine --dataset=digits --model=mlp --permuted_fraction=0.5

The same command run again goes on where the run stopped; with larger --epochs, --stop_accuracy or --extra_epochs a
finished run goes on too.
"""

import pathlib

from experiments import cli
from experiments.progress import bar
from memorize_jax import data, models
from memorize_jax.checkpoints import EpochStore
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.keys import stream
from memorize_jax.results import METRICS, read_table, write_table
from memorize_jax.runs import Run, check_same_run, check_writable, write_config, write_labels
from memorize_jax.training import Trainer, is_finished, train


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
    splits = data.load(config.dataset, data_dir=config.data_dir)
    models.check_input(config.model, splits.train.images.shape[1:])
    labels = data.permute_labels(
        splits.train.labels,
        config.permuted_fraction,
        key=stream(config.seed, "permutation"),
        num_classes=splits.train.num_classes,
        mode=config.permutation,
    )
    return splits, labels


def run(workdir: str | pathlib.Path, config: RunConfig, prepared: tuple[Splits, PermutedLabels] | None = None) -> None:
    """Trains, or goes on training, the run in a folder.

    Args:
      workdir: folder of the run; made if needed.
      config: RunConfig.
      prepared: what `prepare` returned, if it was called before.
    """
    splits, labels = prepared or prepare(workdir, config)
    folder = Run(workdir)
    write_config(folder, config)
    write_labels(folder, labels, config)
    with EpochStore(folder.checkpoints) as store:
        resume, rows = _resume_point(folder, config, store, splits, labels)
        if resume is not None and is_finished(config, resume[0], rows):
            return
        with bar("training", "epoch", config.epochs + 1, done=len(rows)) as progress:

            def on_epoch(epoch):
                rows.append({"epoch": epoch.number, **epoch.metrics})
                store.save(epoch.number, epoch.state.variables, epoch.state, complete=epoch.is_last)
                write_table(folder.metrics, rows, METRICS)
                shown = {"train": "train", "test": "test", "restored": "restored"}
                progress.set_postfix({name: f"{epoch.metrics[key + '_accuracy']:.1%}" for name, key in shown.items()})
                progress.update()

            train(config, splits, labels, on_epoch, resume=resume)


def _resume_point(folder, config, store, splits, labels):
    """Finds the newest epoch that is complete in the store and in the table."""
    if not folder.metrics.is_file():
        store.forget_after(-1)
        return None, []
    table = read_table(folder.metrics, METRICS, f"python -m experiments.train --workdir={folder.workdir}")
    template = Trainer(config, splits, labels).initial_state()
    found = store.load_training_state(template, not_after=int(table["epoch"].max()))
    if found is None:
        store.forget_after(-1)
        return None, []
    number, state = found
    rows = table[table["epoch"] <= number].to_dict("records")
    store.forget_after(number)
    return (number, state, rows), list(rows)


def main() -> None:
    """Reads the flags and trains."""
    workdir = cli.required_workdir()
    run(workdir, cli.chosen().run)
    print(f"trained: {workdir}; next: python -m experiments.geometry --workdir={workdir}")


if __name__ == "__main__":
    cli.start(main, cli.define_workdir, cli.define_preset, cli.define_run)
