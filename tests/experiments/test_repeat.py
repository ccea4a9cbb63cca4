"""The commands that make a study again."""

import dataclasses
import json
import re
import shlex

import pytest

from experiments.configs import DecodingConfig, GeometryConfig
from experiments.presets import PRESETS
from experiments.repeat import commands
from memorize_jax.runs import Run, write_config

STEPS = {"geometry": GeometryConfig(examples_per_class=20), "decoding": DecodingConfig(), "examples": None}


def _made(workdir, config):
    """A run of which only the settings are left."""
    folder = Run(workdir)
    write_config(folder, config)
    noted = {step: {"settings": dataclasses.asdict(own) if own else {}} for step, own in STEPS.items()}
    folder.results.mkdir(parents=True)
    (folder.results / "made.json").write_text(json.dumps(noted))
    return commands(workdir)


@pytest.mark.parametrize("name", ["digits", "double_descent_small"])
def test_every_flag_is_one_of_the_command(tmp_path, name, helps):
    lines = _made(tmp_path / "my run", PRESETS[name].run)
    assert [line.split()[2].partition(".")[2] for line in lines] == ["train", *STEPS, "report"]
    for line in lines:
        _, _, module, *flags = shlex.split(line)
        names = {flag.partition("=")[0] for flag in flags}
        assert names <= set(re.findall(r"--\w+", helps[module.partition(".")[2]])), line


def test_a_setting_that_was_not_noted_is_left_out(tmp_path):
    _made(tmp_path, PRESETS["digits"].run)
    (Run(tmp_path).results / "made.json").write_text('{"geometry": {"settings": {"num_draws": 7}}}')
    assert commands(tmp_path)[1].endswith("--preset=digits --num_draws=7")


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_a_damaged_record_is_none(tmp_path, text):
    _made(tmp_path, PRESETS["digits"].run)
    (Run(tmp_path).results / "made.json").write_text(text)
    assert [line.split()[2] for line in commands(tmp_path)] == ["experiments.train", "experiments.report"]
