"""What single statements measure: purity in a plane, the middle layer, the last convolution."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements.rewinding.statements import last_layer
from memorize_jax.measurements.umap.statements import purity
from memorize_jax.models import layer_names
from tests.claims.invented import FINAL, edited, judged, study


def test_purity_is_one_for_classes_apart_and_chance_for_labels_that_mean_nothing():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 200)
    centers = 100 * rng.normal(size=(10, 2))
    assert purity(centers[labels] + rng.normal(size=(2000, 2)), labels) == 1
    assert purity(rng.normal(size=(2000, 2)), labels) == pytest.approx(0.1, abs=0.03)


def test_purity_equals_a_loop_also_where_points_coincide():
    rng = np.random.default_rng(1)
    places, labels = rng.integers(0, 30, size=(60, 2)).astype(float), rng.integers(0, 3, size=60)
    places = np.unique(places, axis=0)
    labels = labels[: len(places)]
    distances = np.linalg.norm(places[:, None] - places, axis=-1) + np.diag(np.full(len(places), np.inf))
    # Of several nearest ones any may be taken.
    ties = distances == distances.min(axis=1, keepdims=True)
    same = labels[:, None] == labels
    found = purity(places, labels)
    assert (same | ~ties).all(axis=1).mean() <= found <= (same & ties).any(axis=1).mean()
    # Each point twice, with its label: the nearest is always the other one.
    assert purity(np.repeat(places, 2, axis=0), np.repeat(labels, 2)) == 1


@pytest.mark.parametrize(("layer", "measured"), [("conv9", 2 * 1.1 / 1.05 - 1), ("conv11", 1.1 / 1.05 - 1)])
def test_the_middle_layer_is_the_middle_convolution(layer, measured):
    one, fractions_of = study(model="vgg16"), (0.25, 0.5, 1.0)
    tables = {
        name: pd.concat([one.tables[name].assign(permuted_fraction=own, run=f"run_{own:g}") for own in fractions_of])
        for name in ("metrics", "geometry")
    }
    sweep = one._replace(permuted_fraction=float("nan"), tables=tables, axes=("permuted_fraction",))
    where = {"layer": layer, "group": "test", "epoch": FINAL, "permuted_fraction": 1.0}
    claim = judged("middle_layer_alike_at_every_fraction", edited(sweep, "geometry", "joint_capacity", "* 2", **where))
    assert claim.measured == pytest.approx(measured)


@pytest.mark.parametrize(("model", "layer"), [("vgg16", "conv17"), ("resnet18", "conv20"), ("mlp", "linear5")])
def test_the_last_layer_is_the_last_convolution(model, layer):
    assert last_layer(tuple(layer_names(model))) == layer


@pytest.mark.parametrize(
    ("layers", "last"),
    [
        pytest.param(("conv1", "block1", "block2", "output"), "block2", id="blocks that may hold convolutions"),
        pytest.param(("conv1", "denseblock1", "output"), "denseblock1", id="a block of convolutions called dense"),
        pytest.param(("stem", "conv1", "conv2", "fc1", "fc2", "output"), "conv2", id="linear layers alone behind it"),
        pytest.param(("0.Conv_0", "0.Conv_1", "0.Dense_0", "Dense_1"), "0.Conv_1", id="numbered by their library"),
        pytest.param(("embedding", "attention", "output"), "attention", id="no convolutions"),
    ],
)
def test_of_other_peoples_names_the_last_convolution_is_taken_only_where_they_tell_it(layers, last):
    assert last_layer(layers) == last
