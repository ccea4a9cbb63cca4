"""Run folders with tables of made-up numbers: all that figures, claims and reports read."""

import dataclasses
import shutil

import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import Noted, read_config, write_config
from memorize_jax.runs.provenance import provenance
from memorize_jax.storage.tables import GEOMETRY, METRICS, write_table

# That its runs have noted.
COMMAND = "python -m experiments.train --seeds=0,1"
LAYERS = ["input", "linear1", "linear2", "linear3", "linear4", "linear5", "linear6"]


def made_up_run(workdir, fraction=0.5, *, test_accuracy=0.25, **options):
    """Makes a run of three epochs with metrics and the geometry at the first and the last; returns its folder."""
    run = RunFolder(workdir)
    config = RunConfig(permuted_fraction=fraction, **options)
    write_config(run, config, Noted(config, provenance=[provenance()], commands=[COMMAND]))
    empty = {0.0: {"permuted", "restored"}, 1.0: {"unpermuted"}}.get(fraction, set())
    accuracies = {
        f"{name}_accuracy": np.nan if name in empty else 0.25
        for name in ("train", "unpermuted", "permuted", "restored", "test")
    }
    accuracies["test_accuracy"] = test_accuracy
    rows = [{"epoch": epoch, "loss": 2.0, **accuracies, "seconds": 1.0} for epoch in range(3)]
    write_table(run.metrics, rows, METRICS)
    fixed = {"seed": config.seed, "status": 0, "examples_per_class": 10, "num_draws": 20}
    numbers = {name: 0.5 for name in GEOMETRY} | fixed
    rows = [
        {**numbers, "epoch": epoch, "group": group, "layer": layer, "layer_number": number}
        for epoch in (0, 2)
        for group in GROUPS
        if group not in empty
        for number, layer in enumerate(LAYERS)
    ]
    write_table(run.results / "geometry.csv", rows, GEOMETRY)
    return workdir


def as_seed(source, folder, seed):
    """Copies the tables of a run as those of another seed: a run whose tables are not noted; returns its folder."""
    run = RunFolder(folder)
    shutil.copytree(RunFolder(source).results, run.results)
    (run.results / "made.json").unlink()
    shutil.copy(RunFolder(source).metrics, run.metrics)
    write_config(run, dataclasses.replace(read_config(RunFolder(source)), seed=seed))
    return folder
