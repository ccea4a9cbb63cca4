"""What an entry of the catalog is, and when it cannot be drawn."""

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from memorize_jax.studies.study import Study, command

# Axes of a figure of runs that differ in any field, whichever it is.
ANY_FIELD = ("any field",)
# Axis of the studies that a figure is drawn from -> what a study that lacks it lacks, what makes it, and its flags.
INSTEAD = {
    "permuted_fraction": ("runs of several fractions", "sweep", " --grid=permuted_fraction=0,0.25,0.5,0.75,1"),
    "width": ("networks of several widths", "double_descent", ""),
    "any field": ("runs of several settings", "sweep", " --grid=learning_rate=1e-4,1e-3 --grid=width=64,256"),
}


def instead(axis: str) -> str:
    """What to do with a study that lacks an axis that a figure is drawn along."""
    lacking, name, flags = INSTEAD[axis]
    return f"needs {lacking}; make them with: {command(name, 'FOLDER')}{flags}"


class Figure(NamedTuple):
    """A figure of the paper, or one of our own.

    Attributes:
      name: of its file and of the flag --figure: "fig3a", "figa8", "map_capacity".
      look_for: the caption, in a sentence or two: what to look for, and what the paper says of it.
      needs: names of the tables that it is drawn from.
      draw: takes (study, path) and writes the figure.
      obstacle: takes a study and says why the figure does not apply to it, e.g. a figure of BatchNorm for a network
        without; "" if it does. Missing tables are not its business.
      axes: fields in which the runs of a study must differ, e.g. ("width",); () for one network, of one or several
        seeds; `ANY_FIELD` where it does not matter in which.
      aliases: the paper's figures that it is for other networks, e.g. {"figa5": "alexnet"}.
      least_epochs: of the geometry that it needs; 0 where the best and the final one are enough.
      remark: takes a study and says what the caption adds for it, e.g. what stands behind the curves; "" for nothing.
    """

    name: str
    title: str
    look_for: str
    needs: tuple[str, ...]
    draw: Callable[..., pathlib.Path]
    obstacle: Callable[..., str] = lambda study, **options: ""
    axes: tuple[str, ...] = ()
    aliases: Mapping[str, str] = {}
    least_epochs: int = 0
    remark: Callable[..., str] = lambda study, **options: ""

    def of(self, **options) -> "Figure":
        """The figure with these options of its draw, obstacle and remark."""
        bound = {name: functools.partial(getattr(self, name), **options) for name in ("draw", "obstacle", "remark")}
        return self._replace(**bound)


def missing(figure: Figure, study: Study) -> str:
    """Why a figure cannot be drawn from a study: a clause that names a command, or an obstacle; "" if it can."""
    if not (study.axes if figure.axes == ANY_FIELD else set(figure.axes) <= set(study.axes)):
        return instead(figure.axes[0])
    if study.axes and not figure.axes:
        return f"needs a run, or several that differ in their seed; give its folder, in {study.workdir}, as --workdir"
    for table in figure.needs:
        if table not in study.tables:
            return f"no table {table}; make it with: {study.command(table)}"
        if reason := study.not_comparable(table, study.tables[table].get("run", ())):
            return reason
    return figure.obstacle(study)


def not_measured(study: Study, table: str, epochs: Mapping[int, int], flag: str) -> str:
    """Says which epoch (`epochs`: by seed) a table lacks, and which command with which flag measures it; else ""."""
    rows = study.tables[table]
    there = set(zip(rows["seed"], rows["epoch"], strict=True))
    for seed, epoch in epochs.items():
        if (seed, epoch) not in there:
            whose = f" of seed {seed}" if len(study.seeds) > 1 else ""
            found = f"{study.made_by[table]} was not measured at epoch {epoch}{whose}"
            return f"{found}; measure it with: {study.command(table)} {flag}"
    return ""


def sentences(*parts: str) -> str:
    """The parts of a caption that are not empty."""
    return " ".join(filter(None, parts))
