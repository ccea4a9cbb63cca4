"""Runs of a study that are there already: those of an earlier plan, and how long each was trained."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.runs.members import END
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import read_config
from memorize_jax.storage.tables import read_table
from memorize_jax.studies.plan import StudyPlan

# What a run whose training has ended can still be given.
AFTERWARDS = ("keep", "keep_dtype", "tensorboard", "wandb", "mlflow")


def has_ended(config: RunConfig, rows: Sequence[Mapping]) -> bool:
    """Whether the training that left these rows of metrics.csv has come to its end."""
    return bool(rows) and config.ends_after(len(rows) - 1, [row["train_accuracy"] for row in rows])


def has_asked(run: RunFolder, config: RunConfig, asked: Collection[str]) -> bool:
    """Whether a run has some fields as in a configuration; such as may change when it is finished, see `AFTERWARDS`."""
    return not asked or all(getattr(read_config(run), name) == getattr(config, name) for name in asked)


def earlier_runs(
    workdir: str | pathlib.Path, plan: StudyPlan, planned: Mapping[str, Mapping[RunFolder, RunConfig]]
) -> tuple[list[str], dict[str, dict[RunFolder, RunConfig]]]:
    """What the runs.csv of a folder lists: all names, and the runs that were begun and are not of a plan.

    Args:
      planned: name of a run of the plan -> folder -> configuration of every seed.

    Returns:
      The names in order, and name -> folder -> configuration of every seed. Nothing where there is no such table, or a
      damaged one, which is made again.

    Raises:
      ValueError: a run that is no part of one study with those of the plan; says in what it differs.
    """
    place = RunFolder(workdir)
    try:
        table = read_table(place.sweep, ("run", "seeds", "state"), "")
    except (FileNotFoundError, ValueError):
        return [], {}
    names, found = table["run"].astype(str).tolist(), {}
    for name in names:
        folder = place.workdir / name
        begun = [RunFolder(path) for path in member_folders(folder) or [folder] if RunFolder(path).config.is_file()]
        if begun and name not in planned and pathlib.PurePath(name).name == name:
            found[name] = {run: read_config(run) for run in begun}
    axes = tuple(table.columns[1 : list(table.columns).index("seeds")])
    if found and set(axes) != set(plan.axes):
        held, asked = (", ".join(fields) for fields in (axes, plan.axes))
        raise ValueError(f"workdir {workdir} holds a sweep over {held}; choose another --workdir for one over {asked}")
    configurations = lambda folders: [{**own.deciding(), "seed": None} for own in folders.values()][:1]
    called = {name: configurations(folders) for name, folders in planned.items()}
    for name, folders in found.items():
        _check_same_study(folders, plan)
        # An earlier version hashed a 1 for 1.0 as 1.
        if now := [other for other, asked in called.items() if asked == configurations(folders)]:
            raise ValueError(f"{place.workdir / name} holds the run that is called {now[0]} now; rename that folder")
        check_length(folders, plan.config)
    return names, found


def _check_same_study(folders, plan):
    """Raises ValueError unless a run differs from those of a plan in the axes alone, or in the seed."""
    for run, config in folders.items():
        held, asked = config.deciding(), plan.config.deciding()
        skipped = {*plan.axes, *(["seed"] if plan.seeds else [])}
        different = [name for name in asked if name not in skipped and held.get(name) != asked[name]]
        if different:
            what = ", ".join(f"{name}={held.get(name)} (asked: {asked[name]})" for name in different)
            raise ValueError(f"{run.workdir}, of the sweep that is there, has {what}; choose another --workdir")
        if bool(plan.seeds) != run.workdir.name.startswith("seed_"):
            seeds = ("with", "without") if plan.seeds else ("without", "with")
            other = f"{run.workdir}, of the sweep that is there, was trained {seeds[1]} --seeds"
            raise ValueError(f"{other}; choose another --workdir for a sweep {seeds[0]} them")


def check_length(folders: Mapping[RunFolder, RunConfig], asked: RunConfig | None = None) -> None:
    """Raises ValueError if a run was trained longer than is asked for: others of its study would not be.

    Args:
      folders: folder -> configuration of every seed of a run.
      asked: how long other runs are trained, for a run that is to be trained no further; None for one that is.
    """
    for run, config in folders.items():
        rows = stored_rows(run)
        held = read_config(run) if rows else config
        wanted = dataclasses.replace(config, **{name: getattr(asked, name) for name in END}) if asked else config
        done, would = len(rows) - 1, wanted.last_epoch([row["train_accuracy"] for row in rows])
        pairs = {name: (getattr(held, name), getattr(wanted, name)) for name in END}
        different = [f"{name}={own} (asked: {other})" for name, (own, other) in pairs.items() if own != other]
        if different and (would < done or (asked and would > done and has_ended(config, rows))):
            further = ", name its values too" if would > done else ""
            raise ValueError(
                f"{run.workdir} was trained for {done} epochs instead of {would}, with {', '.join(different)}; runs of "
                f"a sweep are trained alike: give the same{further}, or choose another --workdir"
            )
