"""How the gradients of a run are measured: a unit of work for every epoch."""

import jax
import numpy as np

from memorize_jax import models
from memorize_jax.keys import stream
from memorize_jax.measurements.gradients import GradientsSettings
from memorize_jax.measurements.gradients.base_vectors import measure_gradients
from memorize_jax.measurements.gradients.parts import gradient_rows
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run
from memorize_jax.training.devices import split_batches


def plan(run: Run, settings: GradientsSettings) -> Work:
    """Measures the gradient of the training set at every epoch."""
    seed, train, bn = run.config.seed, run.splits.train, settings.gradient_bn
    layers = models.layers(run.config.model)
    # Without dropout, which would add noise to every norm.
    model = run.model(dropout=0.0)
    batches = _mixed_batches(seed, len(train.labels), run.config.batch_size)
    images = jax.device_put(train.images)
    options = {"layers": layers, "statistics": run.statistics, "batches": batches, "bn": bn}
    weighting, centering = settings.gradient_weighting, settings.gradient_centering

    def rows(epoch):
        found = measure_gradients(model, jax.device_put(run.network(epoch)), images, run.labels, **options)
        about = {"seed": seed, "epoch": epoch, "bn": bn}
        return gradient_rows(found, layers, about, weighting=weighting, centering=centering)

    return Work(run.select_epochs(settings.gradient_epochs), rows, lambda epoch: [epoch], counted="epoch")


def _mixed_batches(seed, num, batch_size):
    """The same batches at every epoch, in random order: a data set sorted by class would give odd statistics."""
    key = stream(seed, "gradient batches")
    order = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()).permutation(num)
    # Of equal size: padding costs as much as examples do.
    batches = split_batches(order, -(-num // -(-num // batch_size)), 1)
    return [(batch.indices[0], batch.mask[0]) for batch in batches]
