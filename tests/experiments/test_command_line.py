import dataclasses
import json
import re
import types

import numpy as np
import pandas as pd
import pytest

from experiments import geometry, presets
from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS, LOADERS
from memorize_jax.models import MODELS
from memorize_jax.runs.folder import Run
from memorize_jax.runs.labels import read_labels
from memorize_jax.runs.noted import read_config, write_config
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.train import train_run
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.storage.tables import GEOMETRY, METRICS, read_table
from tests.commands import EXPERIMENTS, python
from tests.experiments.made_up import LAYERS, made_up_run

SMOKE = presets.PRESETS["smoke"]


# --- the steps, end to end


def test_reproduce_leaves_a_whole_run_behind(smoke_run):
    run = Run(smoke_run)
    tables = [
        run.results / f"{name}.csv" for name in ("geometry", "decoding", "decoding_choice", "rewinding", "gradients")
    ]
    names = ("fig2a", "fig3b", "decoding_layers", "decoding_epochs", "fig4b", "fig5f", "figa1")
    drawn = [run.figures / f"{name}.svg" for name in names]
    for file in (run.config, run.labels, run.metrics, run.report, *tables, *drawn):
        assert file.stat().st_size > 0
    assert not list(smoke_run.rglob("*.tmp*"))
    assert read_config(run) == SMOKE.run


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    """The folder of the smoke preset's training, two epochs of it, in this process."""
    workdir = tmp_path_factory.mktemp("two_epochs")
    train_run(workdir, dataclasses.replace(SMOKE.run, epochs=2))
    return workdir


def test_train_writes_every_epoch_and_the_labels(two_epochs):
    run = Run(two_epochs)
    metrics = read_table(run.metrics, METRICS, "")
    assert metrics["epoch"].tolist() == [0, 1, 2]
    assert np.isfinite(metrics.to_numpy()).all()
    with EpochStore(run.checkpoints) as store:
        assert store.epochs() == [0, 1, 2]
    labels = read_labels(run)
    assert labels.is_permuted.sum() == round(len(labels.true) / 2)


def test_training_in_another_process_gives_the_same_numbers(two_epochs, smoke_run):
    here, there = (pd.read_csv(Run(folder).metrics).drop(columns="seconds") for folder in (two_epochs, smoke_run))
    pd.testing.assert_frame_equal(here, there[:3])


def test_geometry_has_a_row_for_every_epoch_group_and_layer(smoke_run):
    table = read_table(Run(smoke_run).results / "geometry.csv", GEOMETRY, "")
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
    assert set(geometry.choose_examples(*prepared, SMOKE.geometry, seed=0)) == groups


# --- bad input

# Name -> (experiment, flags, what the one line must say). {here} is a folder that holds a run with seed 0 in "run",
# a file "notes.txt", a sweep with one run "abc" in "swept", and in "points" what --points leaves; the workdir is
# {here}/new unless a flag says otherwise.
BAD = {
    "dataset": (
        "train",
        ["--dataset=cifar"],
        f"one of {', '.join(sorted(LOADERS))}, or MODULE:NAME of your own, got 'cifar'",
    ),
    "model": (
        "train",
        ["--model=transformer"],
        f"expected model to be one of {', '.join(sorted(MODELS))}, or MODULE:NAME of your own, got 'transformer'",
    ),
    "a model the images do not fit": (
        "train",
        ["--model=vgg16"],
        "expected images of at least 32 x 32 for model vgg16, got (8, 8, 1)",
    ),
    "dropout": ("train", ["--dropout=0.5"], "expected no dropout for model mlp"),
    "preset": ("reproduce", ["--preset=huge"], f"one of {', '.join(presets.PRESETS)}, got 'huge'"),
    "fraction": ("train", ["--permuted_fraction=1.5"], "expected permuted_fraction between 0 and 1, got 1.5"),
    "data files": (
        "train",
        ["--dataset=fashion_mnist", "--data_dir=/nonexistent"],
        "no train-images-idx3-ubyte[.gz] in /nonexistent; install Debian's package dataset-fashion-mnist",
    ),
    "too many examples": (
        "reproduce",
        ["--preset=smoke", "--examples_per_class=200"],
        "at least 200 unpermuted examples in every class, got 71 in class 0, 73 in class 1",
    ),
    "scaling": ("train", ["--scaling=none"], "expected scaling to be one of channels, symmetric, got 'none'"),
    "a layer to decode": (
        "reproduce",
        ["--preset=smoke", "--decoding_layers=input,conv1"],
        "expected decoding_layers to be all or some of input, linear1",
    ),
    "precision of decoding": (
        "decoding",
        ["--decoding_dtype=half", "--workdir={here}/run"],
        "expected decoding_dtype to be one of float32, float64",
    ),
    "epochs to decode": (
        "decoding",
        ["--decoding_epochs=last", "--workdir={here}/run"],
        "decoding_epochs to be numbers or best, final, all",
    ),
    "examples for probes": (
        "decoding",
        ["--probe_examples=3", "--workdir={here}/run"],
        "expected probe_examples >= 10, got 3",
    ),
    "nothing to decode": ("decoding", [], "train one with: python -m experiments.train --workdir={here}/new"),
    "another run": (
        "reproduce",
        ["--preset=smoke", "--seed=1", "--workdir={here}/run"],
        "holds a run with seed=0 (asked: 1)",
    ),
    "layers to rewind": (
        "rewinding",
        ["--rewind_layers=last:0", "--workdir={here}/run"],
        "expected rewind_layers to be comma-separated each",
    ),
    "an epoch of gradients": (
        "gradients",
        ["--gradient_epochs=1.5", "--workdir={here}/run"],
        "expected gradient_epochs to be numbers or best",
    ),
    "classes to simulate": (
        "capacity_check",
        ["--capacity_classes=1", "--workdir={here}/run"],
        "expected capacity_classes >= 2, got 1",
    ),
    "an epoch to embed": (
        "umap",
        ["--umap_epochs=last", "--workdir={here}/run"],
        "expected umap_epochs to be numbers or best",
    ),
    "images of no run": ("examples", [], "train one with: python -m experiments.train --workdir={here}/new"),
    "spheres of digits": (
        "spheres",
        ["--workdir={here}/run"],
        "no spheres to show of the run in {here}/run: its data set is digits, not spheres or spheres_small",
    ),
    "widths": ("double_descent", ["--widths=1,x"], "expected widths like 1,2,4,8, got '1,x'"),
    "a file": ("train", ["--workdir={here}/notes.txt"], "notes.txt is not a folder"),
    "a figure": ("figures", ["--figure=fig9", "--workdir={here}/run"], "expected figures among all, fig1a"),
    "a workdir of another kind": (
        "report",
        ["--workdir=s3://bucket/run"],
        "expected a folder or gs://BUCKET/PATH, got s3://bucket/run",
    ),
    "no workdir": ("train", ["--workdir="], "expected --workdir=FOLDER"),
    "no run": ("geometry", [], "train one with: python -m experiments.train --workdir={here}/new"),
    "a figure to do all for": ("reproduce", ["--preset=smoke", "--figure=fig99"], "expected figures among all, fig1a"),
    "a figure of other networks": (
        "reproduce",
        ["--preset=smoke", "--figure=fig4c"],
        "fig4c cannot be drawn: needs networks of several widths; make them with: python -m experiments.double_descent",
    ),
    "a figure of other data": (
        "reproduce",
        ["--preset=digits", "--figure=figa3", "--dry_run"],
        "figa3 cannot be drawn: its data set is digits, not spheres or spheres_small",
    ),
    "no figure at all": ("reproduce", ["--preset=smoke", "--figure=,"], "expected figures among all, fig1a"),
    "rewinding of what is not there": (
        "reproduce",
        ["--preset=smoke", "--rewind_layers=conv"],
        "got 'conv'; the network has no convolutions",
    ),
    "an epoch after the last": (
        "reproduce",
        ["--preset=smoke", "--geometry_epochs=50"],
        "expected geometry_epochs of at most 4, the last epoch of the run, got 50",
    ),
    **{
        f"{experiment} of a sweep": (
            experiment,
            ["--workdir={here}/swept", *flags],
            "{here}/swept holds a sweep; give one of its runs as --workdir, e.g. {here}/swept/abc",
        )
        for experiment, flags in {
            "geometry": [],
            "decoding": [],
            "rewinding": [],
            "gradients": [],
            "examples": [],
            "capacity_check": [],
            "spheres": [],
            "train": ["--seeds=0-1"],
            "reproduce": ["--dry_run"],
        }.items()
    },
    "a run in a sweep": (
        "train",
        ["--workdir={here}/swept", "--preset=smoke"],
        "{here}/swept holds a sweep; give one of its runs",
    ),
    "a sweep in a run": (
        "sweep",
        ["--workdir={here}/run", "--grid=width=8", "--dry_run"],
        "{here}/run holds a single run; choose another --workdir for a sweep",
    ),
    **{
        f"{experiment} of points": (
            experiment,
            ["--workdir={here}/points"],
            "no run in {here}/points (no config.json); it holds results of experiments.geometry --points, from which",
        )
        for experiment in ("figures", "claims", "report")
    },
    **{
        f"{experiment} of a file": (experiment, ["--workdir={here}/notes.txt"], "notes.txt is not a folder")
        for experiment in ("figures", "claims", "geometry", "report", "reproduce")
    },
    "no folders to compare": ("report", ["--workdirs=,"], "with two or more different folders, got none"),
    "a bucket to compare": (
        "report",
        ["--workdirs={here}/run,gs://foo/bar"],
        "expected --workdirs to be folders on this machine, got gs://foo/bar",
    ),
    "one folder to compare": ("report", ["--workdirs={here}/run"], "with two or more different folders"),
    "a stray argument": ("report", ["{here}/run"], "expected only flags like --workdir=FOLDER, got '{here}/run'"),
}


def contents(folder):
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.fixture(scope="session")
def refusals(tmp_path_factory):
    """Name -> what a command with that bad input did."""
    folders, before, jobs = {}, {}, []
    for name, (experiment, flags, _) in BAD.items():
        here = folders[name] = tmp_path_factory.mktemp("bad")
        made_up_run(here / "run")
        write_config(Run(here / "run"), SMOKE.run)
        (here / "notes.txt").write_text("mine")
        write_config(Run(here / "swept" / "abc"), SMOKE.run)
        Run(here / "swept").sweep.write_text("run,width,seeds,state\nabc,8,1,missing\n")
        points = Run(made_up_run(here / "points"))
        points.config.unlink()
        points.metrics.unlink()
        points.figures.mkdir()
        (points.figures / "geometry.svg").write_text("<svg/>")
        before[name] = contents(here)
        jobs.append([f"experiments.{experiment}", f"--workdir={here}/new", *(flag.format(here=here) for flag in flags)])
    answer = python("-m", "tests.forked", stdin=json.dumps(jobs))
    assert answer.returncode == 0, answer.stderr
    return {
        name: types.SimpleNamespace(
            returncode=code,
            lines=error.strip().splitlines(),
            message=BAD[name][2].format(here=here),
            nothing_changed=contents(here) == before[name],
        )
        for (name, here), (code, error, _) in zip(folders.items(), json.loads(answer.stdout), strict=True)
    }


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_changes_nothing(refusals, name):
    refusal = refusals[name]
    assert len(refusal.lines) == 1
    assert refusal.lines[0].startswith("error: ")
    assert refusal.message in refusal.lines[0]
    assert refusal.returncode in (1, 2)
    assert refusal.nothing_changed


# --- help

RUN_FLAGS = {field.name for field in dataclasses.fields(RunConfig)}
GEOMETRY_FLAGS = {field.name for field in dataclasses.fields(presets.GeometryConfig)}
DECODING_FLAGS = {field.name for field in dataclasses.fields(presets.DecodingConfig)}
PROCESS_FLAGS = {"distributed", "coordinator", "num_processes", "process_id"}
REWINDING_FLAGS = {field.name for field in dataclasses.fields(presets.RewindingConfig)}
GRADIENTS_FLAGS = {field.name for field in dataclasses.fields(presets.GradientsConfig)}
CAPACITY_CHECK_FLAGS = {field.name for field in dataclasses.fields(presets.CapacityCheckConfig)}
UMAP_FLAGS = {field.name for field in dataclasses.fields(presets.UmapConfig)}
OF_ALL = {"workdir", "local_dir", "trust_code", "debug"}
OF_RUN = {*OF_ALL, "preset", "skip_damaged"}
FLAGS = {
    "train": {*OF_ALL, "preset", "seeds", "together"} | RUN_FLAGS | PROCESS_FLAGS,
    "sweep": {*OF_ALL, "preset", "seeds", "together", "grid", "file", "cluster", "slurm", "dry_run"}
    | RUN_FLAGS
    | GEOMETRY_FLAGS,
    "geometry": {*OF_RUN, "points", "seed"} | GEOMETRY_FLAGS,
    "decoding": OF_RUN | DECODING_FLAGS,
    "rewinding": OF_RUN | REWINDING_FLAGS,
    "gradients": OF_RUN | GRADIENTS_FLAGS,
    "double_descent": {*OF_ALL, "preset", "seeds", "widths"} | RUN_FLAGS | GEOMETRY_FLAGS,
    "examples": OF_ALL,
    "capacity_check": {*OF_RUN, "examples_per_class", "num_draws", "joint_draws", "num_center_components"}
    | CAPACITY_CHECK_FLAGS,
    "umap": OF_RUN | UMAP_FLAGS,
    "spheres": OF_ALL,
    "figures": {*OF_ALL, "figure"},
    "claims": {*OF_ALL, "markdown"},
    "report": {*OF_ALL, "workdirs"},
    "reproduce": {*OF_ALL, "preset", "seeds", "together", "figure", "dry_run"}.union(
        RUN_FLAGS,
        GEOMETRY_FLAGS,
        DECODING_FLAGS,
        REWINDING_FLAGS,
        GRADIENTS_FLAGS,
        CAPACITY_CHECK_FLAGS,
        UMAP_FLAGS,
    ),
}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_help_lists_the_flags(experiment, helps):
    own = helps[experiment].partition(f"experiments/{experiment}.py:\n")[2].partition("Try --helpfull")[0]
    listed = set(re.findall(r"^  --(?:\[no\])?(\w+):", own, flags=re.MULTILINE))
    assert listed == FLAGS[experiment]


# --- other networks


@pytest.mark.slow
def test_a_residual_network_goes_all_the_way_to_the_report(tmp_path):
    options = ("--dataset=digits", "--model=resnet18", "--width=2", "--epochs=1", "--init=torch")
    measured = ("--geometry_epochs=final", "--num_draws=20", "--examples_per_class=10")
    done = python("-m", "experiments.reproduce", f"--workdir={tmp_path}", *options, *measured)
    assert done.returncode == 0, done.stderr
    table = read_table(Run(tmp_path).results / "geometry.csv", GEOMETRY, "")
    # The numbers of table 4: 8, 13 and 18 stand on skip connections.
    assert table["layer_number"].unique().tolist() == [0, *range(1, 8), 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 22]
    assert np.isfinite(table["capacity"]).all()
    with EpochStore(Run(tmp_path).checkpoints) as store:
        assert (
            store.load(1)["batch_stats"]["conv1_bn"]["mean"] != store.load(0)["batch_stats"]["conv1_bn"]["mean"]
        ).any()
