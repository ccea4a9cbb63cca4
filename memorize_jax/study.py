"""What figures, claims and reports read: the tables of a run, an ensemble or a sweep, side by side."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax import models, results
from memorize_jax.runs import Run, member_folders, read_config
from memorize_jax.stages import at_stages, stage_epoch

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
KINDS = ("run", "ensemble", "sweep", "double_descent")


class Study(NamedTuple):
    """A run, an ensemble that differs in the seed only, a sweep, or networks of growing width.

    Attributes:
      workdir: its folder.
      model: name of the network; in a sweep over networks all of them, with commas.
      dataset: name of the data set; likewise.
      permuted_fraction: of the training labels; NaN in a sweep over it.
      layers: names of the analysed layers in order; the last is the output. None in a sweep over networks.
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
      layers: names of the analysed layers in order; the last is the output, which is no hidden one. Where there are
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

    Returns:
      Study.

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
    configs = [read_config(member) for member in members]
    found = {}
    for name, (columns, _) in TABLES.items():
        parts = []
        for member, config in zip(members, configs, strict=True):
            path = member.metrics if name == "metrics" else member.results / f"{name}.csv"
            if path.is_file() or name == "metrics":
                parts.append(results.read_table(path, columns, command(name, member.workdir)).assign(seed=config.seed))
        # A table of some of the seeds would pass for one of all.
        if len(parts) == len(members):
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


def _has_ended(config, metrics):
    own = metrics[metrics["seed"] == config.seed]
    return config.ends_after(int(own["epoch"].max()), own["train_accuracy"].tolist())


def read_sweep(workdir: str | pathlib.Path) -> Study:
    """Reads the tables of all runs of a sweep that were trained.

    Args:
      workdir: folder of the sweep, with its runs.csv.

    Returns:
      Study.

    Raises:
      FileNotFoundError: no sweep there, or none of its runs was trained.
      ValueError: a table is damaged or of another version.
    """
    folder = Run(workdir)
    made_by = f"python -m experiments.sweep --workdir={workdir} and the flags of the sweep"
    runs = results.read_table(folder.workdir / "runs.csv", ("run", "seeds", "state"), made_by)
    varies = tuple(runs.columns[1 : runs.columns.get_loc("seeds")])
    trained = runs[runs["state"] != "missing"]
    if trained.empty:
        raise FileNotFoundError(f"no run of the sweep in {workdir} was trained; go on with: {made_by}")
    members = [read_study(folder.workdir / str(name)) for name in trained["run"]]
    parts, unfinished = {}, []
    for member, row in zip(members, trained.to_dict("records"), strict=True):
        known = {name: getattr(member, name) for name in ("model", "dataset", "permuted_fraction")}
        columns = {"run": row["run"], **{name: row[name] for name in varies}, **known}
        unfinished += [(str(row["run"]), seed) for _, seed in member.unfinished]
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
        varies,
        tuple(unfinished),
    )


def _of_widths(folder):
    path = folder.results / "double_descent.csv"
    table = results.read_table(path, results.DOUBLE_DESCENT, command("double_descent", folder.workdir))
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
