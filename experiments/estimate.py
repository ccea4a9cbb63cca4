"""About how long the steps of a study take on this machine, and how much memory, before they have begun."""

import math
import time
from typing import NamedTuple

import jax
import numpy as np

from experiments.presets import Preset
from memorize_jax import data, models
from memorize_jax.analysis.activations import BATCH, HOST_BYTES, flat_reader
from memorize_jax.analysis.gradients import NUM_VECTORS
from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS, Splits
from memorize_jax.geometry import peak_bytes
from memorize_jax.geometry.joint.sampling import POINTS_PER_DRAW, joint_peak_bytes, make_plan
from memorize_jax.metrics import stored_rows
from memorize_jax.runs import Run

# Share of the speed of one large matrix product that layers reach, with all that is done beside them.
EFFICIENCY = 0.3
# Of a call to the device, whatever it computes.
CALL_SECONDS = 2e-3
# Compiling and loading, before the first unit of a step.
START_SECONDS = 5.0
# One draw of one manifold at one layer: a quadratic program of 50 unknowns.
PROGRAM_SECONDS = 4e-5
# One draw of the joint geometry of points at one layer, for every product of two points.
PAIR_SECONDS = 1.5e-8
# Fitting all probes to one layer of a thousand examples.
PROBE_SECONDS = 0.15
# One simulated capacity of 300 points.
SEARCH_SECONDS = 0.3
# What XLA takes to compile a step, and the geometry's solvers besides.
PROGRAM_BYTES, SOLVER_BYTES = 2e8, 5e8


class Work(NamedTuple):
    """How much there is to do, and how fast it goes.

    Attributes:
      forward_seconds: of one pass of the training set through the network.
      epoch_seconds: of training and of its evaluation.
      epochs: that the run has, or may have.
      num_classes: of the data.
      num_layers: analysed ones.
      data_bytes: of all images.
      num_examples: of training and test set.
      num_parameters: of the network.
      widths: features of the input and of every analysed layer.
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


def measure_work(config: RunConfig, splits: Splits, folder: Run) -> Work:
    """Estimates the speed: from the epochs trained so far, or from the operations of the network and a short timing.

    Args:
      config: of the run.
      splits: the data.
      folder: of the run, with or without metrics.csv.
    """
    epochs = config.epochs
    calls = math.ceil(len(splits.train.labels) / config.batch_size)
    forward = _operations(config, splits) * len(splits.train.labels) / (EFFICIENCY * _speed()) + calls * CALL_SECONDS
    # Backward is twice forward; then train and test are evaluated.
    epoch = 4.2 * forward
    # Not the first ones, which compile.
    if seconds := [row["seconds"] for row in stored_rows(folder)[2:]]:
        epoch = float(np.median(seconds))
        forward = epoch / 4.2
    names = models.layer_names(config.model)
    model, image, variables = _abstract(config, splits)
    read = flat_reader(model, data.channel_statistics(splits.train.images[:1], config.scaling), names)
    return Work(
        forward_seconds=forward,
        epoch_seconds=epoch,
        epochs=epochs,
        num_classes=splits.train.num_classes,
        num_layers=len(names),
        data_bytes=sum(split.images.nbytes for split in splits),
        num_examples=sum(len(split.labels) for split in splits),
        num_parameters=sum(leaf.size for leaf in jax.tree.leaves(variables)),
        widths=tuple(leaf.shape[1] for leaf in jax.eval_shape(read, variables, image).values()),
    )


def seconds_of(step: str, chosen: Preset, work: Work) -> float | None:
    """About how long a step takes; None for a step that nothing is known about."""
    geometry, check, decoding = chosen.geometry, chosen.capacity_check, chosen.decoding
    epochs = lambda spec: _count(spec, work.epochs)
    layers, networks = work.num_layers + 1, epochs(chosen.rewinding.rewind_epochs)
    classes = min(work.num_classes, geometry.max_classes or work.num_classes)
    searches = epochs(check.capacity_epochs) * len(GROUPS) * layers * check.capacity_repetitions
    reads = epochs(decoding.decoding_epochs) * decoding.probe_examples / 1000 + decoding.decoding_dynamics / 4
    of_epoch = lambda classes: len(GROUPS) * layers * _geometry_seconds(geometry, classes)
    checked = min(classes, check.capacity_classes or classes)
    known = {
        "geometry": epochs(geometry.geometry_epochs) * geometry.example_repeats * of_epoch(classes),
        "rewinding": networks * (layers + 1) * 1.2 * work.forward_seconds,
        # Every base vector a pass forward and back.
        "gradients": epochs(chosen.gradients.gradient_epochs) * NUM_VECTORS * 3 * work.forward_seconds,
        "capacity_check": epochs(check.capacity_epochs) * of_epoch(checked)
        + searches * SEARCH_SECONDS * (checked * (geometry.examples_per_class or 0) / 300) ** 2,
        "decoding": reads * layers * PROBE_SECONDS,
    }
    return START_SECONDS + known[step] if step in known else None


def bytes_of(step: str, chosen: Preset, work: Work) -> int:
    """About how much memory a step, or "train", takes at its peak, besides the program and the data set."""
    network, shown = 4 * work.num_parameters, 4 * sum(work.widths)
    batch = shown * min(chosen.run.batch_size, work.num_examples)
    classes = min(work.num_classes, chosen.geometry.max_classes or work.num_classes)
    each = chosen.geometry.examples_per_class or work.num_examples // work.num_classes
    points = peak_bytes(len(work.widths), classes, each, sum(work.widths), chosen.geometry.num_draws)
    if chosen.geometry.joint_draws:
        # One geometry after the other: the larger counts.
        mean_field = peak_bytes(len(work.widths), classes, each, 0, chosen.geometry.num_draws)
        joint = joint_peak_bytes(_joint_plan(chosen.geometry, classes, each), len(work.widths), each)
        points += max(0, joint - mean_field)
    column = np.dtype(chosen.decoding.decoding_dtype).itemsize * work.num_examples
    layer, layers = column * max(work.widths), column * sum(work.widths)
    needed = {
        # Parameters, gradients and Adam's moments, on the device and on their way to the disk; and what gradients need.
        "train": 8 * network + work.data_bytes + 3 * batch,
        # Sums of base vectors and what rounding lost of them, old and new, and those of a batch.
        "gradients": (4 * NUM_VECTORS + 2) * network + work.data_bytes + (NUM_VECTORS + 1) * batch,
        "geometry": SOLVER_BYTES + 2 * network + points,
        "capacity_check": SOLVER_BYTES + 2 * network + points,
        "decoding": network + 2 * layer + max(layer, min(HOST_BYTES, layers)),
    }
    return int(PROGRAM_BYTES + needed.get(step, 3 * network + shown * min(BATCH, work.num_examples)))


def about(seconds: float | None) -> str:
    """A duration in words."""
    if seconds is None:
        return "for a time that is not known"
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {max(seconds, 1):.0f} s"


def _geometry_seconds(geometry, classes):
    """Of one layer of one group."""
    seconds = classes * geometry.num_draws * PROGRAM_SECONDS
    if not geometry.joint_draws or not geometry.examples_per_class:
        return seconds
    plan = _joint_plan(geometry, classes, geometry.examples_per_class)
    points = plan.block_size * geometry.examples_per_class
    # A block's decomposition costs as much as some draws.
    draws = plan.num_blocks * (plan.draws_per_block + points / POINTS_PER_DRAW)
    return seconds + draws * points**2 * PAIR_SECONDS


def _joint_plan(geometry, classes, examples):
    draws = geometry.joint_draws
    return make_plan(classes, examples, num_draws=draws, classes_per_draw=None, num_dichotomies=None)


def _count(spec, epochs):
    """How many epochs a choice means in a run of so many."""
    sizes = {"all": epochs + 1, "log": 2 * math.log2(epochs + 1) + 1}
    return sum(sizes.get(item.strip(), 1) for item in spec.split(","))


def _operations(config, splits):
    """Floating-point operations of one example forward."""
    model, image, variables = _abstract(config, splits)
    return jax.jit(model.apply).lower(variables, image).cost_analysis()["flops"]


def _abstract(config, splits):
    """The network, and the shapes of an image and of its variables."""
    model = models.create(config.model, num_classes=splits.train.num_classes, width=config.width)
    image = jax.ShapeDtypeStruct((1, *splits.train.images.shape[1:]), np.float32)
    return model, image, jax.eval_shape(lambda image: model.init(jax.random.key(0), image), image)


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
