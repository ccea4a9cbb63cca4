"""runs.csv, the index of a study whose runs differ in some fields: which there are, and how far each is."""

import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import RunFolder, check_no_sweep, member_folders
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import check_same_run
from memorize_jax.storage.files import replacing
from memorize_jax.studies.earlier import check_length, earlier_runs, has_ended
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


def index_of(workdir: str | pathlib.Path, plan: StudyPlan, is_complete: Callable[[RunFolder], bool]) -> pd.DataFrame:
    """The index of a study with axes: a row for every run of a plan, and for those that an earlier plan began there.

    Writes nothing; for the columns see `state_of`.

    Raises:
      ValueError: the folder holds a run, an ensemble, or runs that are no part of one study with those of the plan.
    """
    check_place(workdir, plan)
    wanted = plan.runs()
    planned = {one.name: plan.folders(workdir, one) for one in wanted}
    listed, earlier = earlier_runs(workdir, plan, planned)
    values = {one.name: one.values for one in wanted}
    values |= {
        name: {axis: getattr(next(iter(own.values())), axis) for axis in plan.axes} for name, own in earlier.items()
    }
    runs = earlier | planned
    # A plan that adds runs leaves the others where they are.
    names = [name for name in dict.fromkeys([*(listed if earlier else ()), *planned]) if name in runs]
    rows = [
        {"run": name, **values[name], "seeds": len(runs[name]), **state_of(runs[name], is_complete)} for name in names
    ]
    for folders in planned.values():
        check_length(folders)
    return pd.DataFrame(rows)


def write_runs(workdir: str | pathlib.Path, plan: StudyPlan, is_complete: Callable[[RunFolder], bool]) -> pd.DataFrame:
    """Writes runs.csv, the index of a study with axes, and returns it; see `index_of`."""
    table, place = index_of(workdir, plan, is_complete), RunFolder(workdir)
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
