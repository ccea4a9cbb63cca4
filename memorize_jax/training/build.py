"""What a run's configuration and data make of networks and recipes: the parts that training compiles."""

import flax.linen as nn
import jax
import numpy as np
import optax

from memorize_jax import models
from memorize_jax.config import RunConfig
from memorize_jax.data import Splits
from memorize_jax.keys import stream
from memorize_jax.recipe import (
    Augmentation,
    Loss,
    check_updates,
    make_augmentation,
    make_loss,
    make_optimizer,
    make_schedule,
)
from memorize_jax.training.state import TrainState, create_state
from memorize_jax.training.step import AXIS, StepKeys

# Precision of a run -> the type that activations have, and the precision of products.
COMPUTE = {
    "float32": (jax.numpy.float32, "highest"),
    "tf32": (jax.numpy.float32, "tensorfloat32"),
    "bfloat16": (jax.numpy.bfloat16, "default"),
    "float64": (jax.numpy.float64, "highest"),
}


def build_model(config: RunConfig, splits: Splits) -> nn.Module:
    """The network of a run, for training on several devices."""
    how = {"dtype": COMPUTE[config.dtype][0], "init": config.init, "dropout": config.dropout, "axis_name": AXIS}
    return models.create(config.model, num_classes=splits.train.num_classes, width=config.width, **how)


def build_optimizer(config: RunConfig, splits: Splits) -> optax.GradientTransformation:
    """The optimizer of a run, with its schedule."""
    steps_per_epoch = -(-len(splits.train.labels) // config.batch_size)
    length = {"epochs": config.scheduled_epochs, "steps_per_epoch": steps_per_epoch}
    rate = make_schedule(config.schedule, config.learning_rate, **length)
    return make_optimizer(config.optimizer, rate, momentum=config.momentum, weight_decay=config.weight_decay)


def build_loss(config: RunConfig, splits: Splits) -> Loss:
    """The loss of a run."""
    return make_loss(config.loss, num_classes=splits.train.num_classes, label_smoothing=config.label_smoothing)


def build_augmentation(config: RunConfig, splits: Splits) -> Augmentation | None:
    """The augmentation of a run, None if it has none."""
    images = splits.train.images
    return make_augmentation(config.augment, images.shape[1:], images.dtype)


def step_keys(seed: int) -> StepKeys:
    """The keys of all that is random in the steps of one seed."""
    return StepKeys(*(stream(seed, name) for name in StepKeys._fields))


def state_shapes(config: RunConfig, splits: Splits) -> TrainState:
    """Shape and type of every leaf of a run's training state; computes nothing.

    Raises ValueError, with the reason in one line, where a part of the recipe cannot train this network on these data.
    """
    sample = jax.ShapeDtypeStruct((1, *splits.train.images.shape[1:]), np.float32)
    model, tx = build_model(config, splits), build_optimizer(config, splits)
    build_loss(config, splits)
    build_augmentation(config, splits)
    params = jax.eval_shape(lambda sample: model.init(jax.random.key(0), sample, train=False), sample)["params"]
    check_updates(config.optimizer, tx, params)
    return jax.eval_shape(lambda sample: create_state(model, sample, seed=config.seed, tx=tx), sample)
