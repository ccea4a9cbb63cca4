"""What figures, claims and reports read: the tables of a run or of an ensemble, side by side."""

import pathlib
from typing import NamedTuple

import pandas as pd

from memorize_jax import models, results
from memorize_jax.runs import Run, member_folders, read_config

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


class Study(NamedTuple):
    """A run, or an ensemble that differs in the seed only.

    Attributes:
      workdir: its folder.
      model: name of the network.
      dataset: name of the data set.
      permuted_fraction: of the training labels.
      layers: names of the analysed layers in order; the last is the output.
      seeds: in order.
      tables: name -> table of all seeds, with a column `seed`; those that were made.
    """

    workdir: pathlib.Path
    model: str
    dataset: str
    permuted_fraction: float
    layers: tuple[str, ...]
    seeds: tuple[int, ...]
    tables: dict[str, pd.DataFrame]

    def metrics_of(self, seed: int) -> pd.DataFrame:
        """The metrics of one seed."""
        table = self.tables["metrics"]
        return table[table["seed"] == seed]


def command(table: str, workdir: str | pathlib.Path) -> str:
    """The command that makes a table."""
    return f"python -m experiments.{TABLES[table][1]} --workdir={workdir}"


def read_study(workdir: str | pathlib.Path) -> Study:
    """Reads every table that a run, or the members of an ensemble, have.

    Args:
      workdir: folder of the run or the ensemble.

    Returns:
      Study.

    Raises:
      FileNotFoundError: no run there, or one that was not trained; says which command to use.
      ValueError: a table is damaged or of another version.
    """
    folders = [Run(member) for member in member_folders(workdir)] or [Run(workdir)]
    configs = [read_config(folder) for folder in folders]
    found = {}
    for name, (columns, _) in TABLES.items():
        parts = []
        for folder, config in zip(folders, configs, strict=True):
            path = folder.metrics if name == "metrics" else folder.results / f"{name}.csv"
            if path.is_file() or name == "metrics":
                parts.append(results.read_table(path, columns, command(name, folder.workdir)).assign(seed=config.seed))
        # A table of some of the seeds would pass for one of all.
        if len(parts) == len(folders):
            found[name] = pd.concat(parts, ignore_index=True)
    first = configs[0]
    return Study(
        Run(workdir).workdir,
        first.model,
        first.dataset,
        first.permuted_fraction,
        tuple(models.layer_names(first.model)),
        tuple(config.seed for config in configs),
        found,
    )
