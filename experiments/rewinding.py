"""Rewinds single layers, or sets of them, of a trained network to earlier epochs and measures what is left.

    python -m experiments.rewinding --workdir=runs/mine --rewind_epochs=log,best --rewind_layers=each,last:2

Writes results/rewinding.csv and figures 4A and 4B in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np

from experiments import cli
from experiments.configs import RewindingConfig
from experiments.trained import Trained, analysis, run_chosen
from memorize_jax import models
from memorize_jax.analysis import final_epoch
from memorize_jax.analysis.rewinding import recalibrated, rewinding_row, rewound_network, select_units
from memorize_jax.data import standardize
from memorize_jax.storage.tables import REWINDING
from memorize_jax.training import Trainer
from memorize_jax.training.devices import split_batches

FIGURES = ("fig4a", "fig4b", "rewinding_restored")


@analysis("rewinding")
def run(trained: Trained, config: RewindingConfig) -> None:
    """Rewinds the layers of a run and writes results/rewinding.csv.

    One compiled program evaluates every network of the grid; of the earlier epochs only the layers that are moved
    are read.
    """
    epochs = trained.select_epochs(config.rewind_epochs)
    units = select_units(config.rewind_layers, models.layers(trained.config.model))
    grid = {f"{unit.name}@{epoch}": (unit, epoch) for unit in units for epoch in epochs}
    trainer, store = Trainer(trained.config, trained.splits, trained.labels), trained.store
    load = functools.lru_cache(maxsize=1)(store.load)
    last = functools.cache(lambda: store.load(final_epoch(trained.metrics)))

    def measured(name):
        unit, epoch = grid[name]
        variables = rewound_network(unit, epoch, last(), load, store.load_layers, into=config.rewind_into, bn=config.bn)
        if config.bn == "recalibrate":
            variables = _recalibrated(trained, trainer, variables)
        options = {"seed": trained.config.seed, "into": config.rewind_into, "bn": config.bn}
        return [rewinding_row(unit, epoch, trainer.evaluate(variables), **options)]

    settings = {name: value for name, value in dataclasses.asdict(config).items() if name != "rewind_epochs"}
    trained.make_table("rewinding", REWINDING, list(grid), measured, settings=settings, counted="network")


def _recalibrated(trained, trainer, variables):
    images = trained.splits.train.images
    batches = (
        (standardize(jnp.asarray(images[batch.indices[0]]), trainer.statistics), batch.mask[0])
        for batch in split_batches(np.arange(len(images)), trained.config.batch_size, 1)
    )
    return recalibrated(trained.model(dropout=0.0), variables, batches)


if __name__ == "__main__":
    cli.start(lambda: run_chosen("rewinding", run, FIGURES), *cli.of_analysis(RewindingConfig))
