"""The networks under the training step: padding, devices, half precision."""

import functools
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.config import RunConfig
from memorize_jax.training import Trainer, TrainState
from memorize_jax.training.devices import replicate, split_batches
from tests import commands

# 16 examples and then 3: on eight devices the last batch leaves six of them without a real example.
NUM, BATCH_SIZE = 19, 16
MODELS = {"alexnet": (32, 32, 3), "vgg16": (32, 32, 3), "resnet18": (8, 8, 3), "resnet18_tiny": (16, 16, 3)}


def trainer(model, dtype="float32", seed=0):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM, *MODELS[model])).astype(np.uint8)
    labels = rng.integers(0, 3, NUM).astype(np.int32)
    splits = data.Splits(*[data.Split(images, labels, 3, "noise")] * 2)
    permuted = data.permute_labels(labels, 0.5, key=jax.random.key(1), num_classes=3)
    config = RunConfig(model=model, width=2, batch_size=BATCH_SIZE, learning_rate=1e-3, dtype=dtype, seed=seed)
    return Trainer(config, splits, permuted)


def initial_state(run):
    """A state drawn by NumPy: compiling the initializers would take longer than everything else."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(run.initial_state)

    def draw(path, leaf):
        offset = 1 if path[-1].key in ("scale", "var") else 0
        fan_in = np.prod(leaf.shape[:-1]) if path[-1].key == "kernel" else 100
        return (offset + rng.normal(size=leaf.shape) / fan_in**0.5).astype(leaf.dtype)

    params, batch_stats = jax.tree_util.tree_map_with_path(draw, (shapes.params, shapes.batch_stats))
    return TrainState(params, batch_stats, jax.tree.map(np.asarray, run.tx.init(params)), np.int32(0))


@functools.cache
def one_epoch(model, dtype="float32"):
    """(state before, state after, metrics after) of an epoch of two steps."""
    run = trainer(model, dtype)
    before = initial_state(run)
    after = run.run_epoch(before, 1)
    return before, jax.tree.map(np.asarray, after), run.evaluate(after.variables)


def leaves(state):
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state.variables)}


@pytest.fixture(scope="module")
def by_devices(tmp_path_factory):
    """Number of devices -> folder of what one epoch of every network left there.

    In processes of their own with XLA's usual emitters, without which an epoch of VGG16 in float64 is 7e-5 off.
    """
    folders = {}
    for number in (1, 8):
        folders[number] = tmp_path_factory.mktemp(f"on_{number}")
        flags = f"--xla_force_host_platform_device_count={number}"
        done = commands.python(
            "-m", "tests.training.test_networks", folders[number], XLA_FLAGS=flags, JAX_ENABLE_X64="1"
        )
        assert done.returncode == 0, done.stderr
    return folders


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vgg16", "resnet18"])
def test_one_and_eight_devices_agree_in_float64(model, x64, by_devices):
    here, there = (np.load(by_devices[number] / f"{model}.npz") for number in (1, 8))
    assert (here["num_devices"], there["num_devices"]) == (1, 8)
    for path, before in leaves(initial_state(trainer(model, "float64"))).items():
        assert here[path].dtype == np.float64
        np.testing.assert_allclose(there[path], here[path], rtol=0, atol=1e-8, err_msg=path)
        assert (here[path] != before).any(), path
    assert there["loss"] == pytest.approx(here["loss"], abs=1e-6)


def test_training_without_batch_norm_moves_every_parameter():
    before, after, metrics = one_epoch("alexnet")
    for path, leaf in leaves(after).items():
        assert np.isfinite(leaf).all(), path
        assert (leaf != leaves(before)[path]).any(), path
    assert np.isfinite(metrics["loss"])


@pytest.mark.parametrize("model", MODELS)
def test_half_precision_keeps_parameters_statistics_and_logits_wide(model):
    run = trainer(model, "bfloat16")
    state = jax.eval_shape(run.initial_state)
    (batch,) = split_batches(np.arange(NUM), 32, 1)
    images, labels = run.splits.train.images, run.labels.assigned
    state, _ = jax.eval_shape(run._step, state, run._keys, images, labels, batch)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.variables)} == {np.dtype(np.float32)}
    x = jax.ShapeDtypeStruct((1, *MODELS[model]), jnp.float32)
    logits, sown = jax.eval_shape(functools.partial(run.model.apply, mutable=["intermediates"]), state.variables, x)
    assert logits.dtype == jnp.float32
    assert sown["intermediates"]["conv1_out"][0].dtype == jnp.bfloat16


@pytest.mark.slow
def test_dropout_differs_between_steps_and_seeds_and_not_between_calls():
    run, other = trainer("vgg16"), trainer("vgg16", seed=1)
    state = initial_state(run)
    (batch,) = split_batches(np.arange(NUM), 32, 1)

    def step(trainer, number):
        placed = replicate(state._replace(step=np.int32(number)))
        after, _ = trainer._step(placed, trainer._keys, *run.train_arrays, batch)
        return np.asarray(after.params["linear21"]["kernel"])

    np.testing.assert_array_equal(step(run, 0), step(run, 0))
    assert (step(run, 0) != step(run, 1)).any()
    assert (step(run, 0) != step(other, 0)).any()


def _main(folder):
    for model in ("vgg16", "resnet18"):
        _, after, metrics = one_epoch(model, "float64")
        np.savez(folder / f"{model}.npz", num_devices=jax.local_device_count(), loss=metrics["loss"], **leaves(after))


if __name__ == "__main__":
    _main(pathlib.Path(sys.argv[1]))
