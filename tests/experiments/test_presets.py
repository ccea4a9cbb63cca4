"""Whose settings a measurement takes: those that the run has noted, and none that were guessed."""

import dataclasses

import pytest

from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.commands import cli
from memorize_jax.presets import PRESETS, get_preset, noted_preset
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import Noted, read_noted, write_config
from tests.commands import Flags


@pytest.fixture
def geometry_of(monkeypatch):
    """What the geometry of the run in a folder takes with some flags."""

    def geometry_of(workdir, **flags):
        monkeypatch.setattr(cli, "FLAGS", Flags(flags))
        return cli.chosen(workdir, ["geometry"]).of("geometry")

    return geometry_of


def noted(workdir, name, **changes):
    preset = get_preset(name)
    config = dataclasses.replace(preset.run, **changes)
    write_config(RunFolder(workdir), config, Noted(config, **preset.plan()))


@pytest.mark.parametrize("name", PRESETS)
def test_the_settings_of_a_preset_come_back_from_the_run_that_noted_them(tmp_path, name):
    noted(tmp_path, name, width=4)
    found = noted_preset(read_noted(RunFolder(tmp_path)))
    assert found.plan() == get_preset(name).plan()
    assert found.run == dataclasses.replace(PRESETS[name].run, width=4)
    # The paper chooses the number of center components; so does every preset.
    assert found.of("geometry").num_center_components == -1


def test_a_measurement_takes_what_its_run_noted_and_says_so(tmp_path, geometry_of, capsys):
    # Another network and another rate: no likeness to a preset is asked for.
    noted(tmp_path, "digits", width=32, learning_rate=3e-3)
    assert geometry_of(tmp_path, num_draws=50) == PRESETS["digits"].replace("geometry", num_draws=50).of("geometry")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("settings: geometry_epochs=log:8,best,final, examples_per_class=30, ")
    assert "num_draws=50" in line
    assert f"(noted in {tmp_path}/config.json; --num_draws from the command line)" in line


def test_an_ensemble_has_the_settings_of_its_members_unless_a_preset_is_asked_for(tmp_path, geometry_of, capsys):
    for seed in (0, 1):
        noted(tmp_path / f"seed_{seed}", "tiny_imagenet_resnet18", seed=seed)
    assert geometry_of(tmp_path) == PRESETS["tiny_imagenet_resnet18"].of("geometry")
    assert geometry_of(tmp_path, preset="digits") == PRESETS["digits"].of("geometry")
    assert capsys.readouterr().out.endswith("(of preset digits)\n")


def test_a_run_that_noted_nothing_has_the_defaults_and_it_is_said(tmp_path, geometry_of, capsys):
    write_config(RunFolder(tmp_path), PRESETS["digits"].run)
    assert geometry_of(tmp_path) == GeometrySettings()
    line = capsys.readouterr().out
    assert "(the defaults, for" in line
    assert "config.json notes none; --preset=NAME takes those of a preset)" in line


@pytest.mark.parametrize(
    "settings", [{"geometry": {"color": 3}}, {"geometry": {"num_draws": 0}}, {"geometry": 3}, {"geometry": []}]
)
def test_settings_that_there_are_not_are_refused(settings):
    with pytest.raises(ValueError, match="expected"):
        noted_preset(Noted(PRESETS["digits"].run, settings=settings))
