"""Reads a study: every table of the run in a folder, or of the runs below it."""

import dataclasses
import pathlib
from collections.abc import Mapping

import pandas as pd

from memorize_jax.config import WATCHED, RunConfig
from memorize_jax.invocation import command_line_of as command
from memorize_jax.runs.folder import RunFolder, member_folders, sweep_command
from memorize_jax.runs.members import check_members
from memorize_jax.runs.metrics import read_metrics
from memorize_jax.runs.noted import Noted, read_noted
from memorize_jax.runs.notes import check_same_settings, check_table, read_notes
from memorize_jax.storage.lock import check_no_links, remove_stale_lock
from memorize_jax.storage.tables import read_table
from memorize_jax.studies.study import Columns, Study

FIELDS = {field.name for field in dataclasses.fields(RunConfig)}
# (table, column) that holds the field of the configuration that it is named after.
SAME_AS_FIELD = {("double_descent", "width")}


def read_study(workdir: str | pathlib.Path, tables: Mapping[str, Columns]) -> Study:
    """Reads every table of the run in a folder, or of the runs in the folders below it.

    Raises:
      FileNotFoundError: no run there, or one that was not trained; says which command to use.
      ValueError: a table is damaged or of another version.
    """
    folder = RunFolder(workdir)
    names, axes = _runs(folder)
    groups = {name: _open(RunFolder(folder.workdir / name)) for name in names}
    found = {
        table: [rows for name, group in groups.items() for rows in _rows(group, name, axes, table, about)]
        for table, about in tables.items()
    }
    # The first version wrote this table once, for all widths.
    if axes and not found.get("double_descent") and (folder.results / "double_descent.csv").is_file():
        found["double_descent"] = [_table(folder, Noted(RunConfig()), "double_descent", tables["double_descent"])]
    together = {table: pd.concat(parts, ignore_index=True) for table, parts in found.items() if parts}
    noted = {run.workdir: own for group in groups.values() for run, own in group.items()}
    several = lambda field: list(dict.fromkeys(getattr(own.config, field) for own in noted.values()))
    networks = list(dict.fromkeys(_network_name(own) for own in noted.values()))
    fractions = several("permuted_fraction")
    return Study(
        folder.workdir,
        ", ".join(networks),
        ", ".join("data of its own" if name == WATCHED else name for name in several("dataset")),
        fractions[0] if len(fractions) == 1 else float("nan"),
        _layers(noted),
        tuple(sorted({int(seed) for rows in together.values() for seed in rows["seed"]})),
        together,
        axes,
        tuple(_unfinished(groups, together.get("metrics"), axes)),
        {name: about.made_by for name, about in tables.items()},
        {table: _settings(groups, about.made_by) for table, about in tables.items() if table in together},
        noted,
        _commands(folder, noted),
    )


def _network_name(noted: Noted) -> str:
    return noted.config.model if noted.network is None else f"{noted.network['library']} network"


def _layers(noted: Mapping[pathlib.Path, Noted]) -> tuple[str, ...]:
    """Names of the analyzed layers; empty where networks differ in them."""
    found = {tuple(layer.name for layer in own.layers) for own in noted.values()}
    return found.pop() if len(found) == 1 else ()


def _runs(folder: RunFolder) -> tuple[list[str], tuple[str, ...]]:
    """Names of the folders of the runs, "" for the folder itself, and the fields that they differ in."""
    if not folder.config.is_file() and not member_folders(folder.workdir):
        if folder.sweep.is_file():
            return _indexed(folder)
        # The first version wrote no index of networks of growing width.
        widths = sorted(folder.workdir.glob("width_*"), key=lambda path: (len(path.name), path.name))
        if widths or (folder.results / "double_descent.csv").is_file():
            return [path.name for path in widths if _is_trained(path)], ("width",)
    return [""], ()


def _indexed(folder: RunFolder) -> tuple[list[str], tuple[str, ...]]:
    """Names of the trained runs that runs.csv lists, and the fields that they differ in."""
    made_by = sweep_command(folder)
    runs = read_table(folder.sweep, ("run", "seeds", "state"), made_by)
    axes = tuple(runs.columns[1 : list(runs.columns).index("seeds")])
    if set(axes) - FIELDS:
        raise ValueError(f"{folder.sweep} is damaged: expected the fields that vary; make it again with: {made_by}")
    # The runs speak for themselves; the table only says which ones there are.
    names, known = runs["run"].astype(str), runs["state"] != "missing"
    for name in names:
        if pathlib.PurePath(name).name != name or name == ".." or (names == name).sum() > 1:
            raise ValueError(f"{folder.sweep} is damaged (run {name!r}); make it again with: {made_by}")
    trained = [name for name, there in zip(names, known, strict=True) if there or _is_trained(folder.workdir / name)]
    if not trained:
        raise FileNotFoundError(f"no run of the sweep in {folder.workdir} was trained; resume it with: {made_by}")
    return trained, axes


def _is_trained(folder):
    return any(RunFolder(run).metrics.is_file() for run in member_folders(folder) or [folder])


def _open(folder: RunFolder) -> dict[RunFolder, Noted]:
    """The run in a folder, or its seeds, with what each says about itself."""
    check_no_links(folder.workdir)
    members = member_folders(folder.workdir)
    noted = {}
    for member in [RunFolder(member) for member in members] or [folder]:
        remove_stale_lock(member.workdir)
        noted[member] = read_noted(member)
    if members:
        check_members({member.workdir: own for member, own in noted.items()})
    return noted


def _table(folder: RunFolder, noted: Noted, name: str, about: Columns) -> pd.DataFrame:
    """Reads a table that is as it was measured; another one is an error."""
    if name == "metrics":
        return read_metrics(folder.workdir, noted.identity)
    made_by = command(about.made_by, folder.workdir)
    check_table(folder, name, about.made_by, noted.identity, made_by)
    kinds = {"text": about.text, "added": about.added}
    return read_table(folder.results / f"{name}.csv", about.columns, made_by, **kinds)


def _rows(group: Mapping[RunFolder, Noted], name: str, axes: tuple[str, ...], table: str, about: Columns):
    """A table of a run, or of its seeds, each with the columns that tell its rows from those of others."""
    there = [run for run in group if table == "metrics" or (run.results / f"{table}.csv").is_file()]
    parts = {run: _table(run, group[run], table, about) for run in there}
    # A table of some of the seeds would pass for one of all.
    if len(parts) < len(group):
        return []
    check_same_settings(there, about.made_by)
    fields = dict.fromkeys((*axes, "model", "dataset", "permuted_fraction")) if axes else ()
    # A field may have the name of a measured column.
    renamed = {field: f"{field}_value" for field in fields if (table, field) not in SAME_AS_FIELD}
    return [
        rows.rename(columns=renamed).assign(
            seed=group[run].config.seed,
            **({"run": name} if axes else {}),
            **{field: getattr(group[run].config, field) for field in fields},
        )
        for run, rows in parts.items()
    ]


def _settings(groups: Mapping[str, Mapping[RunFolder, Noted]], step: str) -> dict[str, Mapping[str, object]]:
    """Name of a run -> the settings that a step was done with there, which are those of all its seeds."""
    noted = {name: [read_notes(run).get(step) for run in group] for name, group in groups.items()}
    return {name: note["settings"] for name, notes in noted.items() for note in notes[:1] if note}


def _unfinished(groups, metrics, axes):
    for name, group in groups.items():
        rows = metrics[metrics["run"] == name] if axes else metrics
        for config in (noted.config for noted in group.values()):
            own = rows[rows["seed"] == config.seed]
            if not config.ends_after(int(own["epoch"].max()), own["train_accuracy"].tolist()):
                yield name, config.seed


def _commands(folder: RunFolder, noted: Mapping[pathlib.Path, Noted]) -> tuple[str, ...]:
    trained = [line for own in noted.values() for line in own.commands]
    notes = [read_notes(RunFolder(place)) for place in dict.fromkeys([*noted, folder.workdir])]
    measured = [note.get("command") for steps in notes for note in steps.values()]
    return tuple(dict.fromkeys(filter(None, [*trained, *measured])))
