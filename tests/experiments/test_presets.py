"""Which preset a run belongs to, and whose settings its analyses take."""

import dataclasses

import pytest

from experiments import cli
from experiments.presets import PRESETS, closest_preset
from memorize_jax.runs import Run, write_config


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


class Flags(dict):
    """Flags that were given, all others None."""

    def __getattr__(self, name):
        return self.get(name)


def test_an_analysis_takes_the_settings_of_its_run(tmp_path, monkeypatch):
    run = dataclasses.replace(PRESETS["tiny_imagenet_resnet18"].run, permuted_fraction=0.2, seed=4)
    write_config(Run(tmp_path), run)
    monkeypatch.setattr(cli, "FLAGS", Flags(num_draws=50))
    measured = cli.chosen(tmp_path).geometry
    assert measured == dataclasses.replace(PRESETS["tiny_imagenet_resnet18"].geometry, num_draws=50)
    monkeypatch.setattr(cli, "FLAGS", Flags(preset="digits"))
    assert cli.chosen(tmp_path).geometry == PRESETS["digits"].geometry


def test_an_ensemble_has_the_settings_of_its_members(tmp_path, monkeypatch):
    for seed in (0, 1):
        write_config(Run(tmp_path / f"seed_{seed}"), dataclasses.replace(PRESETS["fashion_mnist"].run, seed=seed))
    monkeypatch.setattr(cli, "FLAGS", Flags())
    assert cli.chosen(tmp_path).geometry == PRESETS["fashion_mnist"].geometry


def test_analysing_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "FLAGS", Flags())
    with pytest.raises(FileNotFoundError, match=r"train one with: python -m experiments\.train"):
        cli.chosen(tmp_path)
