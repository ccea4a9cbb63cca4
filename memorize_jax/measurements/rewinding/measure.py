"""How the layers of a run are rewound: a unit of work for every group of layers and epoch."""

import jax.numpy as jnp
import numpy as np

from memorize_jax import models
from memorize_jax.data import standardize
from memorize_jax.measurements.measurement import Work
from memorize_jax.measurements.rewinding import RewindingSettings
from memorize_jax.measurements.rewinding.transplant import (
    recalibrated,
    rewinding_row,
    rewound_network,
    select_groups,
)
from memorize_jax.runs.run import Run
from memorize_jax.training import Trainer
from memorize_jax.training.devices import split_batches


def plan(run: Run, settings: RewindingSettings) -> Work:
    """Evaluates the network of every point of the grid by one compiled program.

    Of the earlier epochs only the layers that are moved are read.
    """
    groups = select_groups(settings.rewind_layers, models.layers(run.config.model))
    epochs = run.select_epochs(settings.rewind_epochs)
    grid = {f"{group.name}@{epoch}": (group, epoch) for group in groups for epoch in epochs}
    trainer = Trainer(run.config, run.splits, run.labels)
    last, into, bn = run.final_epoch, settings.rewind_into, settings.bn

    def rows(name):
        group, epoch = grid[name]
        variables = rewound_network(group, epoch, run.network(last), run.network, run.network_layers, into=into, bn=bn)
        if bn == "recalibrate":
            variables = _recalibrated(run, trainer, variables)
        return [rewinding_row(group, epoch, trainer.evaluate(variables), seed=run.config.seed, into=into, bn=bn)]

    return Work(list(grid), rows, counted="network")


def _recalibrated(run, trainer, variables):
    images = run.splits.train.images
    batches = (
        (standardize(jnp.asarray(images[batch.indices[0]]), trainer.statistics), batch.mask[0])
        for batch in split_batches(np.arange(len(images)), run.config.batch_size, 1)
    )
    return recalibrated(run.model(dropout=0.0), variables, batches)
