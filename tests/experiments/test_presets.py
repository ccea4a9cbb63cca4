"""Whose settings an analysis takes: those that the run has noted, and none that were guessed."""

import dataclasses

import pytest
from experiments.configs import GeometryConfig
from experiments.presets import PRESETS, get_preset, noted_preset

from memorize_jax.commands import cli
from memorize_jax.runs.folder import Run
from memorize_jax.runs.noted import Noted, read_noted, write_config


class Flags(dict):
    """Flags that were given, all others None."""

    def __getattr__(self, name):
        return self.get(name)


def noted(workdir, name, **changes):
    preset = get_preset(name)
    config = dataclasses.replace(preset.run, **changes)
    write_config(Run(workdir), config, Noted(config, **preset.plan()))


@pytest.mark.parametrize("name", PRESETS)
def test_the_settings_of_a_preset_come_back_from_the_run_that_noted_them(tmp_path, name):
    noted(tmp_path, name, width=4)
    found = noted_preset(read_noted(Run(tmp_path)))
    assert found.plan() == get_preset(name).plan()
    assert found.run == dataclasses.replace(PRESETS[name].run, width=4)


def test_an_analysis_takes_what_its_run_noted_and_says_so(tmp_path, monkeypatch, capsys):
    # Another network and another rate: no likeness to a preset is asked for.
    noted(tmp_path, "digits", width=32, learning_rate=3e-3)
    monkeypatch.setattr(cli, "FLAGS", Flags(num_draws=50))
    measured = cli.chosen(tmp_path, "geometry").geometry
    assert measured == dataclasses.replace(PRESETS["digits"].geometry, num_draws=50)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("settings: geometry_epochs=best,final, examples_per_class=30, ")
    assert "num_draws=50" in line
    assert f"(noted in {tmp_path}/config.json; --num_draws from the command line)" in line


def test_a_preset_that_is_asked_for_wins_and_is_named(tmp_path, monkeypatch, capsys):
    noted(tmp_path, "tiny_imagenet_resnet18")
    monkeypatch.setattr(cli, "FLAGS", Flags(preset="digits"))
    assert cli.chosen(tmp_path, "geometry").geometry == PRESETS["digits"].geometry
    assert capsys.readouterr().out.endswith("(of preset digits)\n")


def test_an_ensemble_has_the_settings_of_its_members(tmp_path, monkeypatch):
    for seed in (0, 1):
        noted(tmp_path / f"seed_{seed}", "tiny_imagenet_resnet18", seed=seed)
    monkeypatch.setattr(cli, "FLAGS", Flags())
    assert cli.chosen(tmp_path).geometry == PRESETS["tiny_imagenet_resnet18"].geometry


def test_a_run_that_noted_nothing_has_the_defaults_and_it_is_said(tmp_path, monkeypatch, capsys):
    write_config(Run(tmp_path), PRESETS["digits"].run)
    monkeypatch.setattr(cli, "FLAGS", Flags())
    assert cli.chosen(tmp_path, "geometry").geometry == GeometryConfig()
    assert "(the defaults, for" in (line := capsys.readouterr().out)
    assert "config.json notes none; --preset=NAME takes those of a preset)" in line


@pytest.mark.parametrize(
    "settings", [{"geometry": {"color": 3}}, {"geometry": {"num_draws": 0}}, {"geometry": 3}, {"geometry": []}]
)
def test_settings_that_there_are_not_are_refused(tmp_path, settings):
    config = PRESETS["digits"].run
    with pytest.raises(ValueError, match="expected"):
        noted_preset(Noted(config, settings=settings))


def test_analysing_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "FLAGS", Flags())
    with pytest.raises(FileNotFoundError, match=r"train one with: python -m experiments\.train"):
        cli.chosen(tmp_path)


def test_no_preset_forces_a_number_of_center_components():
    assert {preset.geometry.num_center_components for preset in PRESETS.values()} == {-1}
