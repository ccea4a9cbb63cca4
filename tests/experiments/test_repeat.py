"""Which preset a study's commands begin with."""

import dataclasses

import pytest

from experiments.presets import PRESETS
from experiments.repeat import closest_preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_closest_to_itself(name):
    assert closest_preset(PRESETS[name].run) == name


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        # Closer to the spheres in the number of settings.
        ("fashion_mnist", {"dataset": "fashion_mnist_14", "width": 256, "epochs": 100}),
        ("double_descent_small", {"num_train": 10_000, "permuted_fraction": 0.5, "keep": "log"}),
        ("digits", {"width": 128, "learning_rate": 1e-3, "seed": 3}),
    ],
)
def test_network_and_data_count_first(name, changes):
    assert closest_preset(dataclasses.replace(PRESETS[name].run, **changes)) == name
