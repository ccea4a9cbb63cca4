"""The programs that train networks, evaluate them and read their layers."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.invented import invent_data
from benchmarks.lowered.program import Program, Sizes, array, shapes_of
from memorize_jax import models
from memorize_jax.activations import _read_some, flat_reader
from memorize_jax.config import RunConfig
from memorize_jax.data import ChannelStatistics, PermutedLabels
from memorize_jax.training import Trainer
from memorize_jax.training.devices import split_batches
from memorize_jax.training.trainer import compute_precision

SITE = "training.trainer:Trainer.__init__"
# Steps, or batches of evaluation, in one call.
IN_A_CALL = 2


def trainer_of(sizes: Sizes, num_seeds: int = 0) -> Trainer:
    """A trainer of one batch of random images; of several seeds as one program if there are any."""
    splits, labels = invent_data(sizes.image, sizes.num_classes, sizes.batch)
    config = RunConfig(model=sizes.model, width=sizes.width, batch_size=sizes.batch, dtype=sizes.dtype, init="torch")
    if not num_seeds:
        return Trainer(config, splits, labels)
    of_all = PermutedLabels(*(np.stack([leaf] * num_seeds) for leaf in labels))
    return Trainer(config, splits, of_all, seeds=range(num_seeds))


def training(sizes: Sizes, num_seeds: int = 0) -> list[Program]:
    """A step, and the evaluation of a batch; then several of each in one call."""
    trainer = trainer_of(sizes, num_seeds)
    state, data = jax.eval_shape(trainer.initial_state), shapes_of(trainer.train_arrays)
    (evaluated,) = split_batches(np.arange(sizes.batch), sizes.batch, trainer.num_devices)
    batch = evaluated
    if num_seeds:
        batch = jax.tree.map(lambda leaf: np.stack([leaf] * num_seeds, axis=1), batch)
    several = lambda batch: jax.tree.map(lambda leaf: np.stack([leaf] * IN_A_CALL, axis=1), batch)
    of_step, of_evaluation = (state, shapes_of(trainer._keys), *data), (state.variables, *data)
    of_which = f"{sizes.model} in {sizes.dtype}" + f", {num_seeds} seeds" * bool(num_seeds)

    def program(name, call, *arguments):
        def precise(*arguments):
            with compute_precision(trainer.config):
                return call(*arguments)

        return Program(f"{name} of {of_which}", SITE, precise, arguments)

    return [
        program("training step", trainer._step, *of_step, shapes_of(batch)),
        program("evaluation", trainer._predict, *of_evaluation, shapes_of(evaluated)),
        program("training steps", trainer._steps, *of_step, shapes_of(several(batch))),
        program("evaluations", trainer._predict_several, *of_evaluation, shapes_of(several(evaluated))),
    ]


class Network:
    """A network outside of training, with shapes in place of its parameters.

    Attributes:
      variables: params and batch_stats.
      read: what shows its layers.
    """

    def __init__(self, sizes: Sizes):
        self.sizes, self.layers = sizes, models.layers(sizes.model)
        self.names = models.layer_names(sizes.model)
        self.model = models.create(sizes.model, num_classes=sizes.num_classes, width=sizes.width, dropout=0.0)
        sample = array(1, *sizes.image)
        created = jax.eval_shape(lambda sample: self.model.init(jax.random.key(0), sample, train=False), sample)
        self.variables = {"batch_stats": {}, **created}
        # A constant of a program, as it is of a run's.
        ones = np.ones(sizes.image[-1], np.float32)
        self.statistics = ChannelStatistics(ones, ones)
        self.read = flat_reader(self.model, self.statistics, self.names)

    def images(self, *counts: int) -> jax.ShapeDtypeStruct:
        """Images as they are stored."""
        return array(*counts, *self.sizes.image, dtype=jnp.uint8)

    def widths(self) -> dict[str, int]:
        """Name of a layer -> its features; the input first."""
        shown = jax.eval_shape(self.read, self.variables, self.images(1))
        return {name: leaf.shape[1] for name, leaf in shown.items()}


def reading(network: Network) -> list[Program]:
    """The activations of a batch."""
    call = lambda variables, images: _read_some(network.read, variables, images, network.names)
    arguments = (network.variables, network.images(network.sizes.batch))
    return [Program("activations", "activations:_read_some", call, arguments)]
