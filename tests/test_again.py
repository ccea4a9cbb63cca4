import contextlib
import dataclasses
import json
import shlex

import pandas as pd
import pytest

from benchmarks.again import LISTED, lines_again
from benchmarks.results import FOLDER
from memorize_jax.config import RunConfig
from memorize_jax.measurements.registry import open_study
from memorize_jax.presets import get_preset
from memorize_jax.runs.folder import runs_in
from memorize_jax.runs.noted import read_config
from memorize_jax.studies.plan import make_plan
from memorize_jax.studies.plan_text import parse_grid

NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
OF_RUN = {field.name for field in dataclasses.fields(RunConfig)} - {"data_dir"}


def flags_of(line):
    return dict(part[2:].partition("=")[::2] for part in shlex.split(line) if part.startswith("--"))


def value_of(text):
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text


def trained_by(flags):
    """The configuration that a line asks for today."""
    own = {name: value_of(text) for name, text in flags.items() if name in OF_RUN}
    return dataclasses.replace(get_preset(flags.get("preset", "digits")).run, **own)


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_on_the_page_trains_the_networks_of_the_study(name):
    study = open_study(FOLDER / name)
    lines = [flags_of(line) for line in lines_again(name, study) if "experiments.train " in line]
    for run in runs_in(study.workdir):
        folders = (f"runs/{name}", f"runs/{name}/{run.workdir.name}")
        # Where several train it, the last one ends it.
        for flags in [own for own in lines if own["workdir"] in folders][-1:]:
            noted = read_config(run)
            today = dataclasses.replace(trained_by(flags), seed=noted.seed, data_dir=noted.data_dir)
            assert dataclasses.asdict(today) == dataclasses.asdict(noted)


@pytest.mark.parametrize("name", LISTED)
def test_listed_runs_are_those_of_the_study(name):
    flags = flags_of(LISTED[name])
    plan = make_plan(trained_by(flags), parse_grid([flags["grid"]]), None)
    assert [planned.name for planned in plan.runs()] == list(pd.read_csv(FOLDER / name / "runs.csv")["run"])


def test_seeds_that_were_added_are_trained_by_one_line():
    lines = lines_again("spheres_mlp", study := open_study(FOLDER / "spheres_mlp"))
    seeds = ",".join(map(str, study.seeds))
    assert [line for line in lines if "experiments.train " in line] == [
        f"python -m experiments.train --workdir=runs/spheres_mlp --preset=spheres_mlp --seeds={seeds}"
    ]
