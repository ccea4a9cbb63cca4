"""Measures the label-dependent and the label-independent part of the gradient, layer by layer.

    python -m experiments.gradients --workdir=runs/mine --gradient_epochs=log,best,final

Writes results/gradients.csv and figures 5A to 5G and A.1 in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses
import pathlib

import jax
import numpy as np

from experiments import cli
from experiments.configs import GradientsConfig
from experiments.members import for_each
from experiments.progress import bar
from experiments.record import recorded
from experiments.trained import opened
from memorize_jax import data, figures, models
from memorize_jax.analysis.gradient_parts import gradient_rows
from memorize_jax.analysis.gradients import measure_gradients
from memorize_jax.data import Splits
from memorize_jax.keys import stream
from memorize_jax.results import GRADIENTS
from memorize_jax.runs import Run
from memorize_jax.study import read_study
from memorize_jax.training.devices import split_batches

FIGURES = (*(f"fig5{letter}" for letter in "abcdefg"), "figa1")


@recorded("gradients")
def run(
    workdir: str | pathlib.Path, config: GradientsConfig, splits: Splits | None = None, *, skip_damaged: bool = False
) -> None:
    """Measures the gradients of a run and writes results/gradients.csv; goes on where it was interrupted.

    Args:
      workdir: folder of the run.
      config: GradientsConfig.
      splits: the data, if they were loaded before.
      skip_damaged: pass over an epoch whose checkpoint is damaged instead of failing.

    Raises:
      ValueError, OSError: one clear sentence.
    """
    with opened(workdir, splits, skip_damaged=skip_damaged) as trained:
        _run(trained, config)


def _run(trained, config):
    seed, train = trained.config.seed, trained.splits.train
    epochs = trained.select_epochs(config.gradient_epochs)
    layers = models.layers(trained.config.model)
    # In float32 whatever training used, and without dropout, which would add noise to every norm.
    model = models.create(trained.config.model, num_classes=train.num_classes, width=trained.config.width, dropout=0.0)
    batches = _mixed_batches(seed, len(train.labels), trained.config.batch_size)
    images = jax.device_put(train.images)
    statistics = data.channel_statistics(train.images, trained.config.scaling)

    with bar("gradients", "epoch", len(epochs)) as progress:

        def measured(epoch):
            variables = jax.device_put(trained.store.load(epoch))
            ledger = measure_gradients(
                model,
                variables,
                images,
                trained.labels,
                layers=layers,
                statistics=statistics,
                batches=batches,
                bn=config.gradient_bn,
            )
            progress.set_postfix(epoch=epoch)
            progress.update()
            common = {"seed": seed, "epoch": epoch, "bn": config.gradient_bn}
            options = {"weighting": config.gradient_weighting, "centering": config.gradient_centering}
            return gradient_rows(ledger, layers, common, **options)

        settings = {name: value for name, value in dataclasses.asdict(config).items() if name != "gradient_epochs"}
        trained.make_table("gradients", GRADIENTS, epochs, measured, settings=settings)


def _mixed_batches(seed, num, batch_size):
    """The same batches at every epoch, in random order: a data set sorted by class would give odd statistics."""
    key = stream(seed, "gradient batches")
    order = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()).permutation(num)
    # Of equal size: padding costs as much as examples do.
    batches = split_batches(order, -(-num // -(-num // batch_size)), 1)
    return [(batch.indices[0], batch.mask[0]) for batch in batches]


def main() -> None:
    """Reads the flags and measures."""
    workdir = cli.required_workdir()
    config = cli.chosen(workdir, "gradients").gradients
    for_each(workdir, lambda folder: run(folder, config, skip_damaged=cli.FLAGS.skip_damaged), ("gradients.csv",))
    drawn = figures.draw(read_study(workdir), FIGURES)
    names = ", ".join(path.name for path in drawn)
    print(f"measured: {Run(workdir).results / 'gradients.csv'}; drawn in {Run(workdir).figures}: {names}")


if __name__ == "__main__":
    cli.start(main, cli.define_workdir, cli.define_preset_of_run, cli.define_gradients)
