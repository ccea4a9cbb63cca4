"""What figures, claims and reports read: the tables of a run, an ensemble or a sweep, side by side."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax import models
from memorize_jax.config import RunConfig
from memorize_jax.epochs import at_stages, stage_epoch
from memorize_jax.runs.folder import Run, member_folders
from memorize_jax.runs.metrics import read_metrics
from memorize_jax.runs.noted import check_members, read_config, read_noted
from memorize_jax.runs.notes import check_same_settings, check_table
from memorize_jax.storage import tables as results
from memorize_jax.storage.lock import check_no_links, remove_stale_lock

# Table -> (columns it must have, the command that makes it). A study has those that exist.
TABLES = {
    "metrics": (results.METRICS, "train"),
    "geometry": (results.GEOMETRY, "geometry"),
    "decoding": (results.DECODING, "decoding"),
    "decoding_choice": (results.DECODING_CHOICE, "decoding"),
    "rewinding": (results.REWINDING, "rewinding"),
    "gradients": (results.GRADIENTS, "gradients"),
    "double_descent": (results.DOUBLE_DESCENT, "double_descent"),
    "examples": (results.EXAMPLES, "examples"),
    "capacity_check": (results.CAPACITY_CHECK, "capacity_check"),
    "umap": (results.UMAP, "umap"),
    "spheres": (results.SPHERES, "spheres"),
}
FIELDS = {field.name for field in dataclasses.fields(RunConfig)}
KINDS = ("run", "ensemble", "sweep", "double_descent")


class Study(NamedTuple):
    """A run, an ensemble that differs in the seed only, a sweep, or networks of growing width.

    Attributes:
      workdir: its folder.
      model: name of the network; in a sweep over networks all of them, with commas.
      dataset: name of the data set; likewise.
      permuted_fraction: of the training labels; NaN in a sweep over it.
      layers: names of the analyzed layers in order; the last is the output. None in a sweep over networks.
      seeds: in order.
      tables: name -> table of all seeds, with a column `seed`; those that were made. In a sweep they have columns
        `run`, the name of its folder, `model`, `dataset`, `permuted_fraction` and those of `varies`.
      kind: one of `KINDS`.
      varies: fields of the configuration that differ between the runs of a sweep.
      unfinished: (run, seed) whose training has not come to its end; run is "" but in a sweep.
    """

    workdir: pathlib.Path
    model: str
    dataset: str
    permuted_fraction: float
    layers: tuple[str, ...]
    seeds: tuple[int, ...]
    tables: dict[str, pd.DataFrame]
    kind: str = "run"
    varies: tuple[str, ...] = ()
    unfinished: tuple[tuple[str, int], ...] = ()

    def metrics_of(self, seed: int) -> pd.DataFrame:
        """The metrics of one seed."""
        table = self.tables["metrics"]
        return table[table["seed"] == seed]

    def epochs_of(self, stage: str) -> dict[int, int]:
        """Seed -> its own epoch of a stage, "best" or "final"."""
        return {seed: stage_epoch(self.metrics_of(seed), stage) for seed in self.seeds}

    def at_stage(self, table: str, stage: str) -> pd.DataFrame:
        """The rows of a table at every seed's own epoch of a stage, "best" or "final"."""
        rows = at_stages(self.tables[table], {seed: self.metrics_of(seed) for seed in self.seeds})
        return rows[rows["stage"] == stage]


def command(table: str, workdir: str | pathlib.Path) -> str:
    """The command that makes a table."""
    return f"python -m experiments.{TABLES[table][1]} --workdir={workdir}"


def three_layers(layers: Sequence[str]) -> dict[str, str]:
    """The first, the middle and the last hidden layer of a network, which figure A.8 compares.

    Args:
      layers: names of the analyzed layers in order; the last is the output, which is no hidden one. Where there are
        convolutions, the middle layer is the middle one of them, as in the paper.

    Returns:
      "first", "middle" and "last" -> name.
    """
    # A network of one layer has no other to show.
    hidden = list(layers[:-1]) or list(layers)
    inner = [name for name in hidden if name.startswith("conv")] or hidden
    return {"first": hidden[0], "middle": inner[len(inner) // 2], "last": hidden[-1]}


def read_study(workdir: str | pathlib.Path) -> Study:
    """Reads every table that a run, the members of an ensemble, a sweep, or networks of growing width have.

    Args:
      workdir: folder of any of the four.

    Raises:
      FileNotFoundError: no run there, or one that was not trained; says which command to use.
      ValueError: a table is damaged or of another version.
    """
    folder = Run(workdir)
    if not folder.config.is_file():
        if members := member_folders(workdir):
            return _of_seeds(folder, [Run(member) for member in members], "ensemble")
        if (folder.workdir / "runs.csv").is_file():
            return read_sweep(workdir)
        if (folder.results / "double_descent.csv").is_file():
            return _of_widths(folder)
    return _of_seeds(folder, [folder], "run")


def _of_seeds(folder, members, kind):
    check_no_links(folder.workdir)
    noted = {}
    for member in members:
        remove_stale_lock(member.workdir)
        noted[member.workdir] = read_noted(member)
    if kind == "ensemble":
        check_members(noted)
    configs = [own.config for own in noted.values()]
    found = {}
    for name in TABLES:
        parts = []
        for member, own in zip(members, noted.values(), strict=True):
            if name == "metrics" or (member.results / f"{name}.csv").is_file():
                parts.append(_table(member, own.identity, name).assign(seed=own.config.seed))
        # A table of some of the seeds would pass for one of all.
        if len(parts) == len(members):
            check_same_settings(members, TABLES[name][1])
            found[name] = pd.concat(parts, ignore_index=True)
    first = configs[0]
    return Study(
        folder.workdir,
        first.model,
        first.dataset,
        first.permuted_fraction,
        tuple(models.layer_names(first.model)),
        tuple(config.seed for config in configs),
        found,
        kind,
        unfinished=tuple(("", config.seed) for config in configs if not _has_ended(config, found["metrics"])),
    )


def _table(folder, identity, name):
    """Reads a table that is as it was measured; another one is an error."""
    if name == "metrics":
        return read_metrics(folder.workdir, identity)
    columns, step = TABLES[name]
    made_by = command(name, folder.workdir)
    check_table(folder, name, step, identity, made_by)
    return results.read_table(folder.results / f"{name}.csv", columns, made_by)


def _has_ended(config, metrics):
    own = metrics[metrics["seed"] == config.seed]
    return config.ends_after(int(own["epoch"].max()), own["train_accuracy"].tolist())


def read_sweep(workdir: str | pathlib.Path) -> Study:
    """Reads the tables of all runs of a sweep that were trained.

    Args:
      workdir: folder of the sweep, with its runs.csv.

    Raises:
      FileNotFoundError: no sweep there, or none of its runs was trained.
      ValueError: a table is damaged or of another version.
    """
    folder = Run(workdir)
    made_by = f"python -m experiments.sweep --workdir={workdir} and the flags of the sweep"
    runs = results.read_table(folder.workdir / "runs.csv", ("run", "seeds", "state"), made_by)
    if "seeds" not in runs.columns or set(varies := runs.columns[1 : list(runs.columns).index("seeds")]) - FIELDS:
        raise ValueError(f"{folder.sweep} is damaged: expected the fields that vary; make it again with: {made_by}")
    # The runs speak for themselves; the table only says which ones there are.
    names, known = runs["run"].astype(str), runs["state"] != "missing"
    for name in names:
        if pathlib.PurePath(name).name != name or name == ".." or (names == name).sum() > 1:
            raise ValueError(f"{folder.sweep} is damaged (run {name!r}); make it again with: {made_by}")
    trained = [name for name, there in zip(names, known, strict=True) if there or _is_trained(folder.workdir / name)]
    if not trained:
        raise FileNotFoundError(f"no run of the sweep in {workdir} was trained; go on with: {made_by}")
    members = [read_study(folder.workdir / name) for name in trained]
    parts, unfinished = {}, []
    for member, run in zip(members, trained, strict=True):
        config = read_config(Run((member_folders(member.workdir) or [member.workdir])[0]))
        known = {name: getattr(member, name) for name in ("model", "dataset", "permuted_fraction")}
        columns = {"run": run, **{name: getattr(config, name) for name in varies}, **known}
        unfinished += [(run, seed) for _, seed in member.unfinished]
        for name, table in member.tables.items():
            parts.setdefault(name, []).append(table.assign(**columns))
    fractions = {member.permuted_fraction for member in members}
    networks = list(dict.fromkeys(member.model for member in members))
    return Study(
        folder.workdir,
        ", ".join(networks),
        ", ".join(dict.fromkeys(member.dataset for member in members)),
        fractions.pop() if len(fractions) == 1 else float("nan"),
        members[0].layers if len(networks) == 1 else (),
        tuple(sorted({seed for member in members for seed in member.seeds})),
        {name: pd.concat(own, ignore_index=True) for name, own in parts.items()},
        "sweep",
        tuple(varies),
        tuple(unfinished),
    )


def _is_trained(folder):
    return any(Run(run).metrics.is_file() for run in member_folders(folder) or [folder])


def _of_widths(folder):
    table = _table(folder, None, "double_descent")
    seeds = tuple(sorted({int(seed) for seed in table["seed"]}))
    found = {"double_descent": table}
    for run in sorted(folder.workdir.glob("width_*")):
        try:
            first = read_config(Run((member_folders(run) or [run])[0]))
        except (FileNotFoundError, ValueError):
            # The table says all that is drawn; the runs may be gone, or those of an older version.
            continue
        about = (first.model, first.dataset, first.permuted_fraction, tuple(models.layer_names(first.model)))
        return Study(folder.workdir, *about, seeds, found, "double_descent", ("width",))
    return Study(folder.workdir, "", "", float("nan"), (), seeds, found, "double_descent", ("width",))
