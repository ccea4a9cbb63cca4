"""Measures the label-dependent and the label-independent part of the gradient, layer by layer.

    python -m experiments.gradients --workdir=runs/mine --gradient_epochs=log,best,final

Writes results/gradients.csv and figures 5A to 5G and A.1 in the run's folder; for an ensemble, over all of its seeds.
"""

import dataclasses

import jax
import numpy as np

from experiments import cli
from experiments.configs import GradientsConfig
from experiments.trained import Trained, analysis, run_chosen
from memorize_jax import models
from memorize_jax.analysis.gradient_parts import gradient_rows
from memorize_jax.analysis.gradients import measure_gradients
from memorize_jax.keys import stream
from memorize_jax.storage.tables import GRADIENTS
from memorize_jax.training.devices import split_batches

FIGURES = (*(f"fig5{letter}" for letter in "abcdefg"), "figa1")


@analysis("gradients")
def run(trained: Trained, config: GradientsConfig) -> None:
    """Measures the gradients of a run and writes results/gradients.csv."""
    seed, train = trained.config.seed, trained.splits.train
    epochs = trained.select_epochs(config.gradient_epochs)
    layers = models.layers(trained.config.model)
    # Without dropout, which would add noise to every norm.
    model = trained.model(dropout=0.0)
    batches = _mixed_batches(seed, len(train.labels), trained.config.batch_size)
    images = jax.device_put(train.images)
    options = {"layers": layers, "statistics": trained.statistics, "batches": batches, "bn": config.gradient_bn}

    def measured(epoch):
        variables = jax.device_put(trained.store.load(epoch))
        ledger = measure_gradients(model, variables, images, trained.labels, **options)
        common = {"seed": seed, "epoch": epoch, "bn": config.gradient_bn}
        weighting, centering = config.gradient_weighting, config.gradient_centering
        return gradient_rows(ledger, layers, common, weighting=weighting, centering=centering)

    settings = {name: value for name, value in dataclasses.asdict(config).items() if name != "gradient_epochs"}
    trained.make_table("gradients", GRADIENTS, epochs, measured, settings=settings, counted="epoch")


def _mixed_batches(seed, num, batch_size):
    """The same batches at every epoch, in random order: a data set sorted by class would give odd statistics."""
    key = stream(seed, "gradient batches")
    order = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()).permutation(num)
    # Of equal size: padding costs as much as examples do.
    batches = split_batches(order, -(-num // -(-num // batch_size)), 1)
    return [(batch.indices[0], batch.mask[0]) for batch in batches]


if __name__ == "__main__":
    cli.start(lambda: run_chosen("gradients", run, FIGURES), *cli.of_analysis(GradientsConfig))
