import jax
import numpy as np
import pytest

from memorize_jax import models
from memorize_jax.activations import layer_activations
from memorize_jax.runs.run import Run, open_run

pytest.importorskip("torch")

import torch

from benchmarks.recomputed.measures import all_rows, as_table
from benchmarks.recomputed.network import NETWORKS, layers_of, parameters, together
from tests.experiments.made_up import made_up_run


def test_rows_of_a_run_come_out_again_and_a_changed_one_does_not(smoke_run, monkeypatch):
    found = as_table(list(all_rows(open_run(smoke_run), 2, num_draws=30)))
    assert set(found["table"]) == {"metrics", "rewinding", "decoding", "gradients", "geometry"}
    assert found["agrees"].all(), found[~found["agrees"]].to_string()
    table = open_run(smoke_run).table("geometry")
    table["joint_capacity"] *= 2
    read = Run.table
    monkeypatch.setattr(Run, "table", lambda run, name: table if name == "geometry" else read(run, name))
    changed = as_table(list(all_rows(open_run(smoke_run), 2, num_draws=30)))
    assert set(changed[~changed["agrees"]]["quantity"]) == {"joint_capacity"}


def test_a_network_that_is_not_written_again_is_refused(tmp_path):
    run = open_run(made_up_run(tmp_path / "run", model="masc_cnn", dataset="fashion_mnist"))
    with pytest.raises(ValueError, match="expected a run of mlp, alexnet, vgg16, resnet18, got masc_cnn"):
        list(all_rows(run, 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_the_same_in_pytorch(name):
    model, key = models.create(name, num_classes=3, width=4), jax.random.key(0)
    images = jax.random.normal(key, (2, 32, 32, 3))
    variables = model.init(key, images)
    # Away from their start, where batch normalization does nothing.
    variables = jax.tree.map(lambda leaf: leaf + jax.random.uniform(key, leaf.shape, maxval=0.1), variables)
    names = tuple(layer.name for layer in models.layers(name))
    shown = layer_activations(model, variables, images, names)
    found = layers_of(name, parameters(variables), torch.tensor(np.asarray(images, np.float64)))
    assert list(found) == list(names)
    for layer, value in found.items():
        own = (value.permute(0, 2, 3, 1) if value.ndim == 4 else value).numpy()
        np.testing.assert_allclose(shown[layer], own, rtol=1e-3, atol=1e-4 * np.abs(own).max())


def test_layers_that_are_rewound_together_are_those_of_the_library():
    for name in NETWORKS:
        groups = models.select_groups("each", models.layers(name), "layers")
        for group in groups:
            assert {module.removesuffix("_bn") for module in group.modules} == set(together(name, group.name))
