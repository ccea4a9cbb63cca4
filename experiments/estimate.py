"""About how long the steps of a study take on this machine, before they have begun."""

import math
import time
from typing import NamedTuple

import jax
import numpy as np

from experiments.presets import Preset
from memorize_jax import models
from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS, Splits
from memorize_jax.metrics import read_metrics
from memorize_jax.runs import Run, read_noted

# Share of the speed of one large matrix product that layers reach, with all that is done beside them.
EFFICIENCY = 0.3
# Of a call to the device, whatever it computes.
CALL_SECONDS = 2e-3
# Compiling and loading, before the first unit of a step.
START_SECONDS = 5.0
# One draw of one manifold at one layer: a quadratic program of 50 unknowns.
PROGRAM_SECONDS = 4e-5
# Fitting all probes to one layer of a thousand examples.
PROBE_SECONDS = 0.15
# One simulated capacity of 300 points.
SEARCH_SECONDS = 0.3


class Work(NamedTuple):
    """How much there is to do, and how fast it goes.

    Attributes:
      forward_seconds: of one pass of the training set through the network.
      epoch_seconds: of training and of its evaluation.
      epochs: that the run has, or may have.
      num_classes: of the data.
      num_layers: analysed ones.
    """

    forward_seconds: float
    epoch_seconds: float
    epochs: int
    num_classes: int
    num_layers: int


def measure_work(config: RunConfig, splits: Splits, folder: Run) -> Work:
    """Estimates the speed: from the epochs trained so far, or from the operations of the network and a short timing.

    Args:
      config: of the run.
      splits: the data.
      folder: of the run, with or without metrics.csv.

    Returns:
      Work.
    """
    epochs = config.epochs
    calls = math.ceil(len(splits.train.labels) / config.batch_size)
    forward = _operations(config, splits) * len(splits.train.labels) / (EFFICIENCY * _speed()) + calls * CALL_SECONDS
    # Backward is twice forward; then train and test are evaluated.
    epoch = 4.2 * forward
    if folder.metrics.is_file():
        metrics = read_metrics(folder.workdir, read_noted(folder).identity, resuming=True)
        if len(metrics) > 2:
            # Not the first ones, which compile.
            epoch = float(metrics["seconds"][2:].median())
            forward = epoch / 4.2
    return Work(forward, epoch, epochs, splits.train.num_classes, len(models.layer_names(config.model)))


def seconds_of(step: str, chosen: Preset, work: Work) -> float | None:
    """About how long a step takes; None for a step that nothing is known about."""
    if step == "geometry":
        config = chosen.geometry
        manifolds = min(work.num_classes, config.max_classes or work.num_classes) * (work.num_layers + 1)
        units = _count(config.geometry_epochs, work.epochs) * len(GROUPS)
        return START_SECONDS + units * manifolds * config.num_draws * PROGRAM_SECONDS
    if step == "rewinding":
        networks = _count(chosen.rewinding.rewind_epochs, work.epochs) * (work.num_layers + 2)
        return START_SECONDS + networks * 1.2 * work.forward_seconds
    if step == "gradients":
        # Three base vectors of two groups, each a pass forward and back.
        return START_SECONDS + _count(chosen.gradients.gradient_epochs, work.epochs) * 6 * 3 * work.forward_seconds
    if step == "capacity_check":
        units = _count(chosen.capacity_check.capacity_epochs, work.epochs) * len(GROUPS)
        searches = units * (work.num_layers + 1) * chosen.capacity_check.capacity_repetitions
        points = min(work.num_classes, chosen.geometry.max_classes or work.num_classes)
        points = min(points, chosen.capacity_check.capacity_classes or points) * (
            chosen.geometry.examples_per_class or 0
        )
        return START_SECONDS + searches * SEARCH_SECONDS * (points / 300) ** 2
    if step == "decoding":
        config = chosen.decoding
        reads = (
            _count(config.decoding_epochs, work.epochs) * config.probe_examples / 1000 + config.decoding_dynamics / 4
        )
        return START_SECONDS + reads * (work.num_layers + 1) * PROBE_SECONDS
    return None


def about(seconds: float | None) -> str:
    """A duration in words."""
    if seconds is None:
        return "for a time that is not known"
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {max(seconds, 1):.0f} s"


def _count(spec, epochs):
    """How many epochs a choice means in a run of so many."""
    sizes = {"all": epochs + 1, "log": 2 * math.log2(epochs + 1) + 1}
    return sum(sizes.get(item.strip(), 1) for item in spec.split(","))


def _operations(config, splits):
    """Floating-point operations of one example forward."""
    model = models.create(config.model, num_classes=splits.train.num_classes, width=config.width)
    image = jax.ShapeDtypeStruct((1, *splits.train.images.shape[1:]), np.float32)
    variables = jax.eval_shape(lambda image: model.init(jax.random.key(0), image), image)
    return jax.jit(model.apply).lower(variables, image).cost_analysis()["flops"]


def _speed():
    """Operations a second of a large matrix product."""
    matrix = np.ones((512, 512), np.float32)
    multiply = jax.jit(lambda matrix: matrix @ matrix)
    multiply(matrix).block_until_ready()
    started = time.perf_counter()
    for _ in range(5):
        product = multiply(matrix)
    product.block_until_ready()
    return 5 * 2 * 512**3 / (time.perf_counter() - started)
