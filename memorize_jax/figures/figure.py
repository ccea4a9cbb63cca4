"""What an entry of the catalogue is, and when it cannot be drawn."""

import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from memorize_jax.studies.study import TABLES, Study, command

RUNS = ("run", "ensemble")
# Kind of study that a figure is drawn from -> what to do with a study of another kind.
INSTEAD = {
    "sweep": "needs runs of several fractions; make them with: python -m experiments.sweep --workdir=FOLDER "
    "--grid=permuted_fraction=0,0.25,0.5,0.75,1",
    "double_descent": "needs networks of several widths; make them with: python -m experiments.double_descent "
    "--workdir=FOLDER",
}


class Figure(NamedTuple):
    """A figure of the paper, or one of our own.

    Attributes:
      name: of its file and of the flag --figure: "fig3a", "figa8", "map_capacity".
      title: a line.
      look_for: the caption, in a sentence or two: what to look for, and what the paper says of it.
      needs: names of the tables in `study.TABLES` that it is drawn from.
      draw: takes (study, path) and writes the figure.
      obstacle: takes a study and says why the figure does not apply to it, e.g. a figure of BatchNorm for a network
        without; "" if it does. Missing tables are not its business.
      kinds: of studies it is drawn from, see `study.KINDS`.
      remark: takes a study and says what the caption adds for it, e.g. what stands behind the curves; "" for nothing.
    """

    name: str
    title: str
    look_for: str
    needs: tuple[str, ...]
    draw: Callable[[Study, pathlib.Path], pathlib.Path]
    obstacle: Callable[[Study], str] = lambda study: ""
    kinds: tuple[str, ...] = RUNS
    remark: Callable[[Study], str] = lambda study: ""


def missing(figure: Figure, study: Study) -> str:
    """Why a figure cannot be drawn from a study; "" if it can.

    Args:
      figure: of `catalogue.FIGURES`.
      study: the tables.

    Returns:
      A clause that names the missing table and the command that makes it, or the obstacle.
    """
    if study.kind not in figure.kinds:
        instead = f"needs a run or an ensemble; give its folder, in {study.workdir}, as --workdir"
        return INSTEAD.get(figure.kinds[0], instead)
    for table in figure.needs:
        if table not in study.tables:
            return f"no table {table}; make it with: {command(table, study.workdir)}"
    return figure.obstacle(study)


def not_measured(study: Study, table: str, epochs: Mapping[int, int], flag: str) -> str:
    """Names the first seed's epoch that a table lacks, and the command that measures it; "" if it has them all.

    Args:
      study: the tables.
      table: name of one, with columns seed and epoch.
      epochs: seed -> epoch that there should be.
      flag: of the table's command.
    """
    rows = study.tables[table]
    there = set(zip(rows["seed"], rows["epoch"], strict=True))
    for seed, epoch in epochs.items():
        if (seed, epoch) not in there:
            whose = f" of seed {seed}" if len(study.seeds) > 1 else ""
            found = f"{TABLES[table][1]} was not measured at epoch {epoch}{whose}"
            return f"{found}; measure it with: {command(table, study.workdir)} {flag}"
    return ""
