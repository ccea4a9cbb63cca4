"""A study as a plan: a base configuration, axes along which its runs differ, and seeds."""

import dataclasses
import hashlib
import itertools
import json
import math
import pathlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from memorize_jax.config import RunConfig, field_types
from memorize_jax.runs.folder import RunFolder, check_no_sweep, member_folders
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import check_same_run
from memorize_jax.runs.seeds import parse_seeds, seed_folder
from memorize_jax.storage.files import replacing

PARTS = ("preset", "seeds", "run", "grid")
# A study of more is a mistake.
MOST_RUNS = 10_000


class PlannedRun(NamedTuple):
    """One combination of the values of all axes; its name is that of its folder, "" for that of the study itself."""

    name: str
    values: dict[str, Any]
    config: RunConfig


class StudyPlan(NamedTuple):
    """What a study consists of.

    Attributes:
      config: of every run, but for the fields of `axes`.
      axes: field -> its values; every combination is a run.
      seeds: of every combination, in folders of their own; () for the configuration's own.
      by_value: whether folders are named after the one field and its value, "width_4"; else by a hash.
    """

    config: RunConfig
    axes: Mapping[str, Sequence[Any]] = {}
    seeds: tuple[int, ...] = ()
    by_value: bool = False

    def runs(self) -> list[PlannedRun]:
        """Its combinations, the last axis changing fastest; raises ValueError for a value that cannot be."""
        total = math.prod(map(len, self.axes.values()))
        if total > MOST_RUNS:
            raise ValueError(f"expected at most {MOST_RUNS} combinations, got {total}")
        found = []
        for chosen in itertools.product(*self.axes.values()):
            values = dict(zip(self.axes, chosen, strict=True))
            config = dataclasses.replace(self.config, **{name: _typed(name, value) for name, value in values.items()})
            config.validate()
            found.append(PlannedRun(self._name(config, values), values, config))
        return found

    def _name(self, config, values):
        if not values:
            return ""
        if self.by_value:
            return "_".join(f"{name}_{value}" for name, value in values.items())
        identity = {name: value for name, value in config.identity().items() if not (self.seeds and name == "seed")}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]

    def folders(self, workdir: str | pathlib.Path, planned: PlannedRun) -> dict[RunFolder, RunConfig]:
        """Folder -> configuration of every seed of a combination."""
        place = RunFolder(workdir).workdir / planned.name
        if not self.seeds:
            return {RunFolder(place): planned.config}
        configs = {seed: dataclasses.replace(planned.config, seed=seed) for seed in self.seeds}
        return {RunFolder(seed_folder(place, seed)): config for seed, config in configs.items()}


def make_plan(
    config: RunConfig, axes: Mapping[str, Any], seeds: str | None = None, *, by_value: bool = False
) -> StudyPlan:
    """Checks a plan of several runs; `seeds` is a text for `parse_seeds`.

    Raises:
      ValueError: a field that there is not or that makes no other run, or no list of values.
    """
    for name, values in axes.items():
        check_field(name)
        if name not in config.deciding():
            raise ValueError(f"expected fields of --grid that make another run, got {name}; give it to all by --{name}")
        if not isinstance(values, list) or not values or len(set(map(str, values))) < len(values):
            raise ValueError(f"expected a list of different values for {name}, got {values!r}")
    return StudyPlan(config, dict(axes), tuple(parse_seeds(str(seeds))) if seeds is not None else (), by_value)


def check_field(name: str) -> None:
    """Raises ValueError unless a name is a field of a run that a plan may set."""
    fields = sorted({field.name for field in dataclasses.fields(RunConfig)} - {"seed"})
    if name not in fields:
        raise ValueError(f"expected fields of a run ({', '.join(fields)}), or seeds apart, got {name!r}")


def read_plan(path: str | pathlib.Path) -> dict[str, Any]:
    """Reads the parts of a plan that a TOML file has; run and grid are always there.

        preset = "digits"
        seeds = "0-2"
        [run]
        epochs = 300
        [grid]
        permuted_fraction = [0.0, 0.5, 1.0]

    Raises:
      ValueError: not TOML, or a part that there is not.
    """
    try:
        content = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a TOML file, got {error}") from error
    for part in content:
        if part not in PARTS:
            raise ValueError(f"{path}: expected the parts {', '.join(PARTS)}, got {part!r}")
    content = {"run": {}, "grid": {}, **content}
    for part in ("run", "grid"):
        if not isinstance(content[part], dict):
            raise ValueError(f"{path}: expected a table [{part}], got {content[part]!r}")
    for name in content["run"]:
        check_field(name)
    return content


def parse_grid(texts: Sequence[str]) -> dict[str, list]:
    """Reads field -> values from texts like "width=8,16"; raises ValueError where there is no "=", or no value."""
    grid = {}
    for text in texts:
        field, found, values = text.partition("=")
        if not found or not values:
            raise ValueError(f"expected --grid=FIELD=VALUE,VALUE,..., got {text!r}")
        if field.strip() in grid:
            raise ValueError(f"expected each field of --grid once, got {field.strip()} again")
        grid[field.strip()] = [_value(value.strip()) for value in values.split(",")]
    return grid


def _value(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _typed(name, value):
    """TOML's 1 is as good as 1.0 where a field is a float; the hash must not differ."""
    kinds = field_types(RunConfig, name)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str if str in kinds else int | float) or isinstance(value, bool):
        raise ValueError(f"expected {name} to be {kinds[0].__name__}, got {value!r}")
    return value


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
