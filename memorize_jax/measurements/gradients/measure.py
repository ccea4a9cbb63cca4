"""How the gradients of a run are measured: a unit of work for every epoch."""

import jax

from memorize_jax import models
from memorize_jax.keys import stream
from memorize_jax.measurements.gradients import GradientsSettings
from memorize_jax.measurements.gradients.base_vectors import measure_gradients
from memorize_jax.measurements.gradients.parts import gradient_rows
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run
from memorize_jax.training.devices import mixed_batches


def plan(run: Run, settings: GradientsSettings) -> Work:
    """Measures the gradient of the training set at every epoch."""
    seed, train, bn = run.config.seed, run.splits.train, settings.gradient_bn
    layers = models.layers(run.config.model)
    # Without dropout, which would add noise to every norm.
    model = run.model(dropout=0.0)
    # The same batches at every epoch.
    mixed = mixed_batches(stream(seed, "gradient batches"), len(train.labels), run.config.batch_size)
    batches = [(batch.indices[0], batch.mask[0]) for batch in mixed]
    images = jax.device_put(train.images)
    options = {"layers": layers, "statistics": run.statistics, "batches": batches, "bn": bn}
    weighting, centering = settings.gradient_weighting, settings.gradient_centering

    def rows(epoch):
        found = measure_gradients(model, jax.device_put(run.network(epoch)), images, run.labels, **options)
        about = {"seed": seed, "epoch": epoch, "bn": bn}
        return gradient_rows(found, layers, about, weighting=weighting, centering=centering)

    return Work(run.select_epochs(settings.gradient_epochs), rows, lambda epoch: [epoch], counted="epoch")
