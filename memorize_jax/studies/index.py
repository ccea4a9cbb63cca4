"""runs.csv, the index of a study whose runs differ in some fields: which there are, and how far each is."""

import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import RunFolder, check_no_sweep, member_folders
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import check_same_run
from memorize_jax.storage.files import replacing
from memorize_jax.studies.plan import StudyPlan


def state_of(folders: Mapping[RunFolder, RunConfig], is_complete: Callable[[RunFolder], bool]) -> dict[str, Any]:
    """Tells how far the seeds of a combination are; raises ValueError if a folder holds another run.

    Args:
      is_complete: whether everything that is asked for was measured in the folder of a finished run.

    Returns:
      state ("missing", "unfinished", "trained" or "complete"), epochs (the least over seeds), train_accuracy and
      test_accuracy at the end (means).
    """
    for folder, config in folders.items():
        check_same_run(folder, config)
    begun = {folder: rows for folder in folders if (rows := stored_rows(folder))}
    if not begun:
        return {"state": "missing", "epochs": 0, "train_accuracy": None, "test_accuracy": None}
    state = "unfinished"
    if len(begun) == len(folders) and all(has_ended(folders[folder], rows) for folder, rows in begun.items()):
        state = "complete" if all(map(is_complete, folders)) else "trained"
    last = [rows[-1] for rows in begun.values()]
    means = {name: pd.Series([row[name] for row in last]).mean() for name in ("train_accuracy", "test_accuracy")}
    return {"state": state, "epochs": min(int(row["epoch"]) for row in last), **means}


def has_ended(config: RunConfig, rows: Sequence[Mapping]) -> bool:
    """Whether the training that left these rows of metrics.csv has come to its end."""
    return bool(rows) and config.ends_after(len(rows) - 1, [row["train_accuracy"] for row in rows])


def write_runs(workdir: str | pathlib.Path, plan: StudyPlan, is_complete: Callable[[RunFolder], bool]) -> pd.DataFrame:
    """Writes runs.csv, the index of a study with axes: a row for every combination, see `state_of`; returns it.

    Raises:
      ValueError: the folder holds a run or an ensemble, or that of a combination holds another run.
    """
    place, seeds = RunFolder(workdir), max(len(plan.seeds), 1)
    check_place(workdir, plan)
    states = [(one, state_of(plan.folders(workdir, one), is_complete)) for one in plan.runs()]
    table = pd.DataFrame([{"run": one.name, **one.values, "seeds": seeds, **state} for one, state in states])
    place.workdir.mkdir(parents=True, exist_ok=True)
    with replacing(place.sweep) as beside:
        table.to_csv(beside, index=False)
    return table


def check_place(workdir: str | pathlib.Path, plan: StudyPlan) -> None:
    """Raises ValueError if the folder holds a run, the seeds of one, or a study whose runs are named in another way."""
    place = RunFolder(workdir)
    if place.config.is_file() or member_folders(workdir):
        held = "a single run" if place.config.is_file() else "an ensemble"
        raise ValueError(f"workdir {workdir} holds {held}; choose another --workdir for a sweep")
    if place.sweep.is_file():
        is_by_value = re.search(r"^[a-z]+_", place.sweep.read_text(errors="replace"), flags=re.MULTILINE) is not None
        if is_by_value != plan.by_value:
            check_no_sweep(workdir)
