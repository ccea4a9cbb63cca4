"""Whole recipes in training: against optax run by hand, resumed, for several seeds, with parts of somebody else."""

import dataclasses

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Split, Splits, standardize
from memorize_jax.keys import stream
from memorize_jax.training import Resume, Trainer, train
from memorize_jax.training.trainer import example_order
from tests.eight_devices import small_labels

_RNG = np.random.default_rng(0)
TRAIN, TEST = (
    Split(_RNG.integers(0, 256, (n, 8, 8, 1), np.uint8), np.arange(n, dtype=np.int32) % 4, 4, "noise")
    for n in (100, 20)
)
SPLITS = Splits(TRAIN, TEST)
LABELS = small_labels(SPLITS)
OWN = "tests.recipe.my_recipe_parts"
BASE = RunConfig(width=8, batch_size=25, learning_rate=0.02, epochs=5, stop_accuracy=1.0)
# Name -> recipe, and the same written with optax: five epochs of four steps, as in BASE.
RECIPES = {
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 1e-3},
        lambda: optax.chain(optax.add_decayed_weights(1e-3), optax.sgd(0.02, momentum=0.9)),
    ),
    "adamw": (
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine"},
        lambda: optax.adamw(optax.cosine_decay_schedule(0.02, 20), weight_decay=0.1),
    ),
    "augmented": (
        {"optimizer": "sgd", "schedule": "step", "augment": "flip,crop", "label_smoothing": 0.1},
        lambda: optax.sgd(optax.piecewise_constant_schedule(0.02, {10: 0.1, 15: 0.1})),
    ),
    "own": (
        {
            "optimizer": f"{OWN}:lion",
            "momentum": 0.8,
            "schedule": f"{OWN}:warm_up",
            "augment": f"{OWN}:brighter",
            "loss": "mse",
            "weight_decay": 0.1,
        },
        lambda: optax.lion(optax.warmup_cosine_decay_schedule(0.0, 0.02, 4, 20), b1=0.8, weight_decay=0.1),
    ),
}


def augmented_by_hand(name, images, indices, step):
    """Image by image."""
    if name == "own":
        return images.astype(np.float32) + 1
    if name != "augmented":
        return images
    key = jax.random.fold_in(stream(0, "augmentation"), step)
    return np.stack(
        [one_by_hand(jax.random.fold_in(key, index), image) for image, index in zip(images, indices, strict=True)]
    )


@jax.jit
def one_by_hand(key, image):
    image = dm_pix.random_flip_left_right(jax.random.fold_in(key, 0), jnp.asarray(image, jnp.float32))
    padded = jnp.pad(image, ((1, 1), (1, 1), (0, 0)))
    return dm_pix.random_crop(jax.random.fold_in(key, 1), padded, image.shape)


@pytest.mark.parametrize("name", RECIPES)
def test_twenty_steps_are_those_of_optax_run_by_hand(name):
    options, make = RECIPES[name]
    trainer, optimizer = Trainer(dataclasses.replace(BASE, **options), SPLITS, LABELS), make()
    state = trainer.initial_state()
    params, own = jax.tree.map(np.array, state.params), optimizer.init(state.params)
    smoothing = options.get("label_smoothing", 0.0)

    @jax.jit
    def step(params, own, images, labels):
        def loss_of(params):
            logits = trainer.model.apply({"params": params}, standardize(images, trainer.statistics))
            targets = (1 - smoothing) * jax.nn.one_hot(labels, 4) + smoothing / 4
            if name == "own":
                return jnp.mean((logits - targets) ** 2)
            return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1))

        with jax.default_matmul_precision("highest"):
            updates, own = optimizer.update(jax.grad(loss_of)(params), own, params)
        return optax.apply_updates(params, updates), own

    number = 0
    for epoch in range(1, 6):
        state = trainer.run_epoch(state, epoch)
        order = example_order(0, epoch, 100)
        for chosen in np.split(order, 4):
            images = augmented_by_hand(name, SPLITS.train.images[chosen], chosen, number)
            params, own = step(params, own, images, LABELS.assigned[chosen])
            number += 1
    assert int(state.step) == number == 20
    jax.tree.map(
        lambda found, hand: np.testing.assert_allclose(found, hand, rtol=1e-6, atol=1e-6), state.params, params
    )


def states(config, resume=None, **options):
    found = {}

    def on_epoch(*epochs):
        for epoch in epochs:
            found[epoch.seed, epoch.number] = jax.tree.map(np.array, epoch.state)

    return found, train(config, SPLITS, options.pop("labels", LABELS), on_epoch, resume=resume, **options)


@pytest.mark.parametrize("name", ["augmented", "own"])
def test_what_is_resumed_has_the_same_bits(name):
    """A schedule goes on where it was, also if training is to be shorter and then longer again."""
    config = dataclasses.replace(BASE, **RECIPES[name][0])
    whole, _ = states(config)
    part, stopped = states(config.stretch(epochs=2))
    resumed, _ = states(config, Resume(2, part[0, 2], stopped.rows))
    jax.tree.map(np.testing.assert_array_equal, resumed[0, 5], whole[0, 5])


def test_seeds_trained_together_are_augmented_as_alone():
    config = dataclasses.replace(BASE, epochs=2, **RECIPES["augmented"][0])
    labels = PermutedLabels(*(np.stack([leaf, leaf]) for leaf in LABELS))
    together, _ = states(config, seeds=[0, 3], labels=labels)
    for seed in (0, 3):
        alone, _ = states(dataclasses.replace(config, seed=seed))
        close = lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
        jax.tree.map(close, together[seed, 2].params, alone[seed, 2].params)
