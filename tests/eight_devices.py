"""Trains small networks on however many devices there are; the same code runs on one device inside the tests."""

import dataclasses
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax import data, geometry, models
from memorize_jax.config import RunConfig
from memorize_jax.recipe import make_optimizer
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.training import Trainer
from memorize_jax.training.build import step_keys
from memorize_jax.training.devices import replicate, split_batches
from memorize_jax.training.state import create_state
from memorize_jax.training.step import make_train_step

BATCH_SIZE = 37  # not divisible by 8; 100 examples leave a short last batch of 26


def small_splits() -> data.Splits:
    """100 training and 40 test points on four spheres."""
    return data.make_spheres(
        num_classes=4, num_features=16, sphere_dimension=5, radius=1.5, train_per_class=25, test_per_class=10
    )


def small_labels(splits: data.Splits, fraction: float = 0.4) -> data.PermutedLabels:
    """The labels of the training set, partly permuted."""
    return data.permute_labels(splits.train.labels, fraction, key=jax.random.key(1), num_classes=4)


def adam_steps_in_float64(num_epochs: int = 8) -> dict:
    """Parameters after some epochs of Adam, all of it in float64; needs jax_enable_x64."""
    splits = small_splits()
    labels = small_labels(splits).assigned
    images = splits.train.images.astype(np.float64)
    statistics = data.channel_statistics(images)
    model = models.create("mlp", num_classes=4, width=16, dtype=jnp.float64)
    tx = make_optimizer("adam", 1e-3)
    state = replicate(create_state(model, jnp.asarray(images[:1]), seed=0, tx=tx))
    axes = {"axis_name": "data", "in_axes": (None, None, None, None, 0), "out_axes": None}
    step, keys = jax.pmap(make_train_step(model, tx, statistics), **axes), step_keys(0)
    rng = np.random.default_rng(0)
    for _ in range(num_epochs):
        for batch in split_batches(rng.permutation(len(labels)), BATCH_SIZE, jax.local_device_count()):
            # Queued steps of simulated devices can dead-lock.
            state, _ = jax.block_until_ready(step(state, keys, images, labels, batch))
    return jax.tree.map(np.asarray, state.params)


def trainer_steps() -> tuple:
    """(parameters after one epoch of the Trainer in float32, their metrics)."""
    splits = small_splits()
    config = RunConfig(width=16, batch_size=BATCH_SIZE, learning_rate=1e-3)
    trainer = Trainer(config, splits, small_labels(splits))
    state = trainer.run_epoch(trainer.initial_state(), 1)
    return state, trainer.evaluate(state.variables)


def geometry_of_clouds() -> np.ndarray:
    """Capacities of eight sets of manifolds: one set a device, or all on one."""
    clouds = np.random.default_rng(0).normal(size=(8, 5, 6, 12)).astype(np.float32)

    def capacity(points):
        return geometry.manifold_geometry(points, key=jax.random.key(0), num_draws=50, num_center_components=0).capacity

    across = jax.pmap if jax.local_device_count() == 8 else jax.vmap
    return np.asarray(across(capacity)(clouds))


def geometry_shared_by_devices() -> dict[str, np.ndarray]:
    """Both geometries of three layers by whatever devices there are, in float64; leaf -> numbers."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(6, 1, 2)) @ rng.normal(size=(2, 12))
    layers = {str(number): shared + rng.normal(size=(6, 5, 12)) for number in range(3)}
    number = jax.local_device_count()
    options = {"key": jax.random.key(0), "num_draws": 30}
    joint = {"classes_per_draw": 3, **options}
    # In float32 the search for shared directions ends elsewhere if anything is rounded otherwise.
    with jax.enable_x64(True):
        found = {
            "mean_field": geometry.layer_geometry(layers, vary_components=True, devices=number, **options),
            "joint, by blocks": geometry.layer_joint_geometry(layers, devices=number, **joint),
            "joint, by layers": geometry.layer_joint_geometry(layers, devices=min(number, 3), **joint),
        }
    return {
        f"{which} {field.name}": np.asarray(getattr(own, field.name))
        for which, own in found.items()
        for field in dataclasses.fields(own)
        if field.name not in ("layers", "classes")
    }


def _main(folder: pathlib.Path) -> None:
    assert jax.local_device_count() == 8
    state, metrics = trainer_steps()
    np.savez(folder / "metrics.npz", **metrics)
    with EpochStore(folder / "checkpoints") as store:
        store.save(1, state.variables, state, complete=True)
    np.savez(folder / "geometry.npz", capacity=geometry_of_clouds())
    np.savez(folder / "geometry_shared.npz", **geometry_shared_by_devices())
    flat, _ = jax.tree.flatten(state.params)
    np.savez(folder / "float32.npz", *flat)
    jax.config.update("jax_enable_x64", True)
    np.savez(folder / "float64.npz", *jax.tree.leaves(adam_steps_in_float64()))


if __name__ == "__main__":
    _main(pathlib.Path(sys.argv[1]))
