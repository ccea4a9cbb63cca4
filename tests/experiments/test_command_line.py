import ast
import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from memorize_jax.analysis.examples import choose_examples
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.commands import commands
from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS
from memorize_jax.measurements.registry import get_measurement, settings_classes
from memorize_jax.models import MODELS
from memorize_jax.presets import PRESETS
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.labels import read_labels
from memorize_jax.runs.noted import read_config
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.train import train_run
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.storage.tables import GEOMETRY, METRICS, read_table
from tests.commands import EXPERIMENTS, ROOT, python
from tests.experiments.made_up import LAYERS

SMOKE = PRESETS["smoke"]


# --- a run, end to end


def test_reproduce_leaves_a_whole_run_behind(smoke_run):
    run = RunFolder(smoke_run)
    tables = ("geometry", "decoding", "decoding_choice", "rewinding", "gradients", "few_shot", "similarity")
    figures = ("fig2a", "fig3b", "decoding_layers", "decoding_epochs", "fig4b", "fig5f", "figa1", "few_shot")
    files = [run.results / f"{name}.csv" for name in tables] + [run.figures / f"{name}.svg" for name in figures]
    for file in (run.config, run.labels, run.metrics, run.report, *files):
        assert file.stat().st_size > 0
    assert not list(smoke_run.rglob("*.tmp*"))
    assert read_config(run) == SMOKE.run


def test_training_here_and_in_another_process_gives_the_same_numbers(tmp_path, smoke_run):
    train_run(tmp_path, dataclasses.replace(SMOKE.run, epochs=2))
    run = RunFolder(tmp_path)
    metrics = read_table(run.metrics, METRICS, "")
    assert metrics["epoch"].tolist() == [0, 1, 2]
    assert np.isfinite(metrics.to_numpy()).all()
    with EpochStore(run.checkpoints) as store:
        assert store.epochs() == [0, 1, 2]
    labels = read_labels(run)
    assert labels.is_permuted.sum() == round(len(labels.true) / 2)
    here, there = (pd.read_csv(RunFolder(folder).metrics).drop(columns="seconds") for folder in (tmp_path, smoke_run))
    pd.testing.assert_frame_equal(here, there[:3])


def test_geometry_has_a_row_for_every_epoch_group_and_layer(smoke_run):
    table = read_table(RunFolder(smoke_run).results / "geometry.csv", GEOMETRY, "")
    rows = {(row.epoch, row.group, row.layer_number, row.layer) for row in table.itertuples()}
    assert len(table) == len(rows) == 7 * 4 * 2
    assert rows == {
        (epoch, group, number, layer) for epoch in (0, 4) for group in GROUPS for number, layer in enumerate(LAYERS)
    }
    for column in ("capacity", "radius", "dimension", "center_correlation"):
        assert np.isfinite(table[column]).all()
    assert (table["capacity"] > 0).all()
    assert (table[["num_classes", "num_valid_classes", "examples_per_class"]] == 10).all(axis=None)
    assert (table["seed"] == 0).all()


@pytest.mark.parametrize(("fraction", "groups"), [(0.0, {"unpermuted", "test"}), (1.0, set(GROUPS) - {"unpermuted"})])
def test_groups_that_are_empty_have_no_manifolds(tmp_path, fraction, groups):
    prepared = prepare(tmp_path, dataclasses.replace(SMOKE.run, permuted_fraction=fraction))
    assert set(choose_examples(*prepared, SMOKE.of("geometry"), seed=0)) == groups


# --- help


def fields_of(settings_class):
    return {field.name for field in dataclasses.fields(settings_class)}


PROCESS_FLAGS = {"distributed", "coordinator", "num_processes", "process_id"}
OF_ALL = {"workdir", "local_dir", "trust_code", "debug"}
OF_TRAINING = {*OF_ALL, "preset", "seeds", "together"} | fields_of(RunConfig)
FLAGS = {
    "train": {*OF_TRAINING, *PROCESS_FLAGS},
    "sweep": {*OF_TRAINING, "grid", "file", "cluster", "slurm", "dry_run", *fields_of(GeometrySettings)},
    "double_descent": {*OF_TRAINING, "widths", *fields_of(GeometrySettings)},
    "reproduce": {*OF_TRAINING, "figure", "dry_run"}.union(*map(fields_of, settings_classes().values())),
    "figures": {*OF_ALL, "figure"},
    "claims": {*OF_ALL, "markdown"},
    "report": {*OF_ALL, "open", "watch", "workdirs"},
}


def flags_of(command):
    if command in FLAGS:
        return FLAGS[command]
    one = get_measurement(command)
    own = fields_of(one.settings) if one.settings else set()
    more = {"points", "seed"} if command == "geometry" else set()
    return OF_ALL | more | own | ({"preset", "skip_damaged", *one.reads_flags} if one.parts else set())


def described(text):
    """Flag -> what `--help` says of it, in a line."""
    found = re.findall(r"^  --(?:\[no\])?(\w+): (.*\n(?:    .*\n)*)", text, flags=re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in found}


def test_every_command_has_a_door_and_every_door_is_of_a_command():
    assert set(EXPERIMENTS) == set(commands())
    for name in EXPERIMENTS:
        door = (ROOT / "experiments" / f"{name}.py").read_text()
        assert f'commands.run("{name}")' in door
        assert ast.get_docstring(ast.parse(door))
        assert door.count("\n") < 8


def test_one_place_alone_knows_how_commands_are_called():
    """Else a message names a command that a user of the wheel, who has no experiments/, cannot give."""
    for path in (ROOT / "memorize_jax").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        documented = [node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
        docstrings = {ast.get_docstring(node, clean=False) for node in documented}
        texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        said = [text for text in texts - docstrings if "experiments." in text]
        assert not said or path.name == "invocation.py", path


@pytest.mark.parametrize("command", EXPERIMENTS)
def test_help_says_what_every_flag_means_in_a_sentence(command, helps):
    text = helps[command]
    assert f"python -m experiments.{command}" in text
    found = described(text.partition("Try --helpfull")[0])
    assert set(found) == flags_of(command)
    for said in found.values():
        sentence = re.sub(r"( \(default: '.*?'\)| \(an? \w+\)|;? ?repeat this option.*)+$", "", said)
        assert re.match(r"[A-Z].*[.]$", sentence), said


def test_help_shows_defaults_and_choices(helps):
    found = described(helps["train"])
    assert "Learning rate, of a schedule the highest. Default: the preset's, else 0.0001." in found["learning_rate"]
    assert "One of channels, symmetric. Default: the preset's, else channels." in found["scaling"]
    assert f"One of {', '.join(sorted(MODELS))}." in found["model"]


def test_what_training_needs_not_is_not_imported():
    code = "import sys; sys.argv = ['memorize', 'train', '--help']\nfrom memorize_jax import commands\n"
    code += "try:\n    commands.main()\nfinally:\n    print(*sorted(sys.modules))"
    loaded = set(python("-c", code).stdout.splitlines()[-1].split())
    heavy = {"matplotlib", "sklearn", "jaxopt", "jinja2", "scipy.stats", "memorize_jax.geometry", "memorize_jax.report"}
    assert loaded & heavy == set()
    rooms = {name for name in loaded if name.startswith("memorize_jax.") and name.endswith((".figures", ".measure"))}
    assert rooms == {"memorize_jax.figures"}


# --- other networks


@pytest.mark.slow
def test_a_residual_network_goes_all_the_way_to_the_report(tmp_path):
    options = ("--dataset=digits", "--model=resnet18", "--width=2", "--epochs=1", "--init=torch")
    # As little as there can be of everything: its twenty layers take long to compile.
    measured = [f"--{step}_epochs=final" for step in ("geometry", "capacity", "rewind", "gradient", "decoding")]
    measured += ["--num_draws=10", "--joint_draws=0", "--examples_per_class=6", "--capacity_dichotomies=4"]
    done = python("-m", "experiments.reproduce", f"--workdir={tmp_path}", *options, *measured)
    assert done.returncode == 0, done.stderr
    table = read_table(RunFolder(tmp_path).results / "geometry.csv", GEOMETRY, "")
    # The numbers of table 4: 8, 13 and 18 stand on skip connections.
    assert table["layer_number"].unique().tolist() == [0, *range(1, 8), 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 22]
    assert np.isfinite(table["capacity"]).all()
    with EpochStore(RunFolder(tmp_path).checkpoints) as store:
        means = [store.load(epoch)["batch_stats"]["conv1_bn"]["mean"] for epoch in (0, 1)]
        assert (means[0] != means[1]).any()
