"""About how long measurements take on this machine, and how much memory, before they have begun."""

import math
import time
from typing import NamedTuple

import jax
import numpy as np

from memorize_jax import data, models
from memorize_jax.activations import BATCH, flat_reader
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS, Splits
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import stored_rows

# Share of the speed of one large matrix product that layers reach, with all that is done beside them.
EFFICIENCY = 0.3
# Of a call to the device, whatever it computes.
CALL_SECONDS = 2e-3
# Compiling and loading, before the first unit of work.
START_SECONDS = 5.0
# One draw of one manifold at one layer: a quadratic program of 50 unknowns.
PROGRAM_SECONDS = 4e-5
# One draw of the joint geometry of points at one layer, for every product of two points.
PAIR_SECONDS = 1.5e-8
# What XLA takes to compile a step, and the geometry's solvers besides.
PROGRAM_BYTES, SOLVER_BYTES = 2e8, 5e8


class Workload(NamedTuple):
    """How much there is to do, and how fast it is done.

    Attributes:
      forward_seconds: of one pass of the training set through the network.
      epoch_seconds: of training and of its evaluation.
      epochs: at most.
      num_examples: of training and test set.
      widths: features of the input and of every analyzed layer.
    """

    forward_seconds: float
    epoch_seconds: float
    epochs: int
    num_classes: int
    num_layers: int
    data_bytes: int
    num_examples: int
    num_parameters: int
    widths: tuple[int, ...]
    batch_size: int

    def count(self, choice: str) -> float:
        """About how many epochs a choice like "log,best,final" means."""
        sizes = {"all": self.epochs + 1, "log": 2 * math.log2(self.epochs + 1) + 1}
        few = {f"log:{most}": min(most, sizes["log"]) for most in range(1, 100)}
        return sum((sizes | few).get(item.strip(), 1) for item in choice.split(","))

    @property
    def network_bytes(self) -> int:
        """Of the network's parameters."""
        return 4 * self.num_parameters

    @property
    def batch_bytes(self) -> int:
        """Of all activations of a batch of training."""
        return 4 * sum(self.widths) * min(self.batch_size, self.num_examples)


def measure_work(config: RunConfig, splits: Splits, folder: RunFolder) -> Workload:
    """Estimates the speed: from the epochs trained so far, or from the operations of the network and a short timing."""
    calls = math.ceil(len(splits.train.labels) / config.batch_size)
    model = models.create(config.model, num_classes=splits.train.num_classes, width=config.width)
    image = jax.ShapeDtypeStruct((1, *splits.train.images.shape[1:]), np.float32)
    variables = jax.eval_shape(lambda image: model.init(jax.random.key(0), image), image)
    # The first epochs compile.
    if seconds := [row["seconds"] for row in stored_rows(folder)[2:]]:
        epoch = float(np.median(seconds))
    else:
        counted = jax.jit(model.apply).lower(variables, image).cost_analysis() or {"flops": 0.0}
        operations = counted["flops"]
        # Backward is twice forward; then train and test are evaluated.
        forward = operations * len(splits.train.labels) / (EFFICIENCY * _speed()) + calls * CALL_SECONDS
        epoch = 4.2 * forward
    names = models.layer_names(config.model)
    read = flat_reader(model, data.channel_statistics(splits.train.images[:1], config.scaling), names)
    return Workload(
        forward_seconds=epoch / 4.2,
        epoch_seconds=epoch,
        epochs=config.epochs,
        num_classes=splits.train.num_classes,
        num_layers=len(names),
        data_bytes=sum(split.images.nbytes for split in splits),
        num_examples=sum(len(split.labels) for split in splits),
        num_parameters=sum(leaf.size for leaf in jax.tree.leaves(variables)),
        widths=tuple(leaf.shape[1] for leaf in jax.eval_shape(read, variables, image).values()),
        batch_size=config.batch_size,
    )


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


def training(work: Workload) -> tuple[float, float]:
    """Seconds of an epoch, and bytes at the peak of training."""
    # Parameters, gradients and Adam's moments, on the device and on their way to the disk; and what gradients need.
    return work.epoch_seconds, 8 * work.network_bytes + work.data_bytes + 3 * work.batch_bytes


def reading(work: Workload) -> float:
    """Bytes of reading a network's layers."""
    return 3 * work.network_bytes + 4 * sum(work.widths) * min(BATCH, work.num_examples)


def geometry_seconds(work: Workload, settings: GeometrySettings, most_classes: int | None = None) -> float:
    """Of all layers and groups at one epoch."""
    # Here: whoever only lists the measurements needs no solver.
    from memorize_jax.geometry.joint.sampling import POINTS_PER_DRAW

    classes = min(work.num_classes, settings.max_classes or work.num_classes, most_classes or work.num_classes)
    seconds = classes * settings.num_draws * PROGRAM_SECONDS
    if settings.joint_draws and settings.examples_per_class:
        plan = _joint_plan(settings, classes, settings.examples_per_class)
        points = plan.block_size * settings.examples_per_class
        # A block's decomposition costs as much as some draws.
        draws = plan.num_blocks * (plan.draws_per_block + points / POINTS_PER_DRAW)
        seconds += draws * points**2 * PAIR_SECONDS
    return len(GROUPS) * (work.num_layers + 1) * seconds


def geometry_bytes(work: Workload, settings: GeometrySettings) -> float:
    """At the peak of one group."""
    from memorize_jax.geometry.batching import peak_bytes
    from memorize_jax.geometry.joint.sampling import joint_peak_bytes

    classes = min(work.num_classes, settings.max_classes or work.num_classes)
    each = settings.examples_per_class or work.num_examples // work.num_classes
    layers = len(work.widths)
    points = peak_bytes(layers, classes, each, sum(work.widths), settings.num_draws)
    if settings.joint_draws:
        # One geometry after the other: the larger counts.
        mean_field = peak_bytes(layers, classes, each, 0, settings.num_draws)
        joint = joint_peak_bytes(_joint_plan(settings, classes, each), layers, each)
        points += max(0, joint - mean_field)
    return SOLVER_BYTES + 2 * work.network_bytes + points


def _joint_plan(settings, classes, examples):
    from memorize_jax.geometry.joint.sampling import make_plan

    return make_plan(classes, examples, num_draws=settings.joint_draws, classes_per_draw=None, num_dichotomies=None)
