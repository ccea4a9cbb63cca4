"""The tables of a finished study, small enough to be committed."""

import dataclasses
import pathlib
import re
import shutil
from collections.abc import Collection

import numpy as np
import pandas as pd

from memorize_jax.measurements.registry import open_study, tables
from memorize_jax.runs.folder import RunFolder, runs_in
from memorize_jax.runs.labels import read_labels
from memorize_jax.runs.noted import read_noted, write_config
from memorize_jax.runs.notes import file_checksum, read_notes
from memorize_jax.storage.files import write_json

# The errors of all that is measured are larger than a hundred-thousandth.
DIGITS = 5
# Angles between gradients, of which no more is told.
COSINE, COSINE_DIGITS = "cosine_", 3
# Pixels, places in the plane, a row for every example: many bytes, and no number of theirs is discussed.
LEFT_OUT = ("examples", "umap", "per_example", "per_example_images")
UNFINISHED = "unfinished"
# Beside config.json: how many examples there were.
EXAMPLES = "examples.json"


def trim(source: str | pathlib.Path, target: str | pathlib.Path) -> None:
    """Copies a study's configuration and tables, floats rounded, without checkpoints, labels, figures and pixels.

    The copy can be read by `memorize_jax.measurements.registry.open_study`; how many examples there were, and how many of them
    permuted, is noted in examples.json. Of networks of growing width there is their table, and the first of the runs.

    Args:
      source: folder of a run, an ensemble, a sweep or networks of growing width.
      target: folder of the copy; replaced if it is there.

    Raises:
      FileNotFoundError: nothing was trained in the source.
      ValueError: a run of a sweep is unfinished, or the target lies in the source.
    """
    source, target = pathlib.Path(source).expanduser(), pathlib.Path(target)
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"expected a folder outside {source}, got {target}")
    study, index = open_study(source), RunFolder(source).sweep
    runs = [run.workdir for run in runs_in(source)]
    if index.is_file():
        listed = pd.read_csv(index)
        if unfinished := list(listed["run"][listed["state"] == UNFINISHED]):
            raise ValueError(f"expected a sweep of finished runs in {source}, but {', '.join(unfinished)} are not")
        trained = {source / str(name) for name in listed["run"][listed["state"] != "missing"]}
        runs = [run for run in runs if trained & {run, run.parent}]
    shutil.rmtree(target, ignore_errors=True)
    if by_width := study.axes == ("width",):
        # The table of all has the ends of each; the epochs of one show how they were trained.
        runs = runs[:1]
    for run in runs:
        left_out = (*LEFT_OUT, "double_descent") if by_width else LEFT_OUT
        _trim_folder(RunFolder(run), RunFolder(target / run.relative_to(source)), target, left_out)
    if study.axes:
        _trim_folder(RunFolder(source), RunFolder(target), target, LEFT_OUT)
    if index.is_file() and not by_width:
        _round(index, target / index.name)


# Commands that were given for a study, and not for one of its runs.
OF_STUDY = re.compile(r"(experiments\.|memorize )(sweep|reproduce|double_descent)|--seeds")


def _trim_folder(source: RunFolder, target: RunFolder, study: pathlib.Path, left_out: Collection[str]) -> None:
    def published(line):
        """A command line without the folders of the machine that it was given on."""
        folder = study if OF_STUDY.search(line) else target.workdir
        named = pathlib.PurePosixPath("runs", *folder.relative_to(study.parent).parts)
        return re.sub(r" --(data_dir|local_dir)=(\S+)", "", re.sub(r"--workdir=(\S+)", f"--workdir={named}", line))

    for table in tables():
        path = source.metrics if table == "metrics" else source.results / f"{table}.csv"
        if path.is_file() and table not in left_out:
            _round(path, target.workdir / path.relative_to(source.workdir))
    kept = {
        # Checksums are of the tables as they are here, rounded; an excerpt is no run, and has no identity.
        step: {
            **note,
            "identity": None,
            "made_of": file_checksum(target.metrics),
            "command": published(note["command"]),
            "tables": {name: file_checksum(target.results / f"{name}.csv") for name in note["tables"]},
        }
        for step, note in read_notes(source).items()
        if step not in left_out
    }
    if kept:
        write_json(target.results / "made.json", kept)
    if source.config.is_file():
        noted, is_permuted = read_noted(source), read_labels(source).is_permuted
        config, lines = dataclasses.replace(noted.config, data_dir=None), list(map(published, noted.commands))
        write_config(target, config, noted._replace(identity=None, data=None, commands=lines))
        write_json(target.workdir / EXAMPLES, {"training": len(is_permuted), "permuted": int(np.sum(is_permuted))})


def _round(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(source)
    cosines = [column for column in table if column.startswith(COSINE)]
    table[cosines] = table[cosines].round(COSINE_DIGITS)
    table.to_csv(target, index=False, float_format=f"%.{DIGITS}g")
