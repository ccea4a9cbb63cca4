"""A study, what figures, claims and reports read: the tables of one or several runs, side by side."""

import html
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax import models
from memorize_jax.epochs import at_stages, stage_epoch
from memorize_jax.invocation import command_line_of as command
from memorize_jax.runs.noted import Noted
from memorize_jax.runs.notes import other_settings


class Columns(NamedTuple):
    """A table that a study may have.

    Attributes:
      columns: that it must have.
      made_by: name of the command that makes it.
      text: columns that hold text.
      added: columns that tables of the first version lack.
    """

    columns: tuple[str, ...]
    made_by: str
    text: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()


class Study(NamedTuple):
    """One run, or several that differ in their seed, or in the fields `axes`.

    Attributes:
      model: name of the network; all of them, with commas, where they differ. Likewise the data set.
      permuted_fraction: of the training labels; NaN where runs differ in it.
      layers: names of the analyzed layers in order; the last is the output. Empty where networks differ.
      seeds: in order.
      tables: name -> table of all runs, with a column `seed`; those that were made. Where there are `axes` they have
        columns `run`, the name of its folder, `model`, `dataset`, `permuted_fraction` and those of `axes`; a measured
        column of such a name is in `<name>_value`, the measured loss in `loss_value` where `loss` is one of them, the
        width of an image in `width_value` where `width` is.
      axes: fields of the configuration, besides the seed, that differ between the runs.
      unfinished: (run, seed) whose training has not come to its end; run is "" without `axes`.
      made_by: name of a table -> the command that makes it.
      settings: name of a table -> name of a run -> settings it was measured with, of those runs that noted them; the
        name is "" without `axes`. All seeds of a run have the same.
      noted: folder of every run -> what its config.json holds.
      commands: lines that made it, in order and each once, as they were given; empty if none was noted.
    """

    workdir: pathlib.Path
    model: str
    dataset: str
    permuted_fraction: float
    layers: tuple[str, ...]
    seeds: tuple[int, ...]
    tables: dict[str, pd.DataFrame]
    axes: tuple[str, ...] = ()
    unfinished: tuple[tuple[str, int], ...] = ()
    made_by: Mapping[str, str] = {}
    settings: Mapping[str, Mapping[str, Mapping[str, object]]] = {}
    noted: Mapping[pathlib.Path, Noted] = {}
    commands: tuple[str, ...] = ()

    def __repr__(self):
        about = f"{self.model} on {self.dataset}, seeds {', '.join(map(str, self.seeds))}"
        varies = f", by {', '.join(self.axes)}" if self.axes else ""
        return f"Study({str(self.workdir)!r}: {about}{varies}; tables {', '.join(self.tables)})"

    def _repr_html_(self) -> str:
        rows = [(name, len(table), self.made_by.get(name, "")) for name, table in self.tables.items()]
        table = pd.DataFrame(rows, columns=["table", "rows", "made by"])
        return f"<p>{html.escape(repr(self))}</p>{table.to_html(index=False)}"

    def metrics_of(self, seed: int) -> pd.DataFrame:
        """The metrics of one seed."""
        table = self.tables["metrics"]
        return table.loc[table["seed"] == seed]

    def epochs_of(self, stage: str) -> dict[int, int]:
        """Seed -> its own epoch of a stage, "best" or "final"."""
        return {seed: stage_epoch(self.metrics_of(seed), stage) for seed in self.seeds}

    def at_stage(self, table: str, stage: str) -> pd.DataFrame:
        """The rows of a table at every seed's own epoch of a stage, "best" or "final"."""
        rows = at_stages(self.tables[table], {seed: self.metrics_of(seed) for seed in self.seeds})
        return rows.loc[rows["stage"] == stage]

    def command(self, table: str, folder: str | pathlib.Path | None = None) -> str:
        """The command that makes a table of this study, or of the run in a folder."""
        return command(self.made_by.get(table, table), folder or self.workdir)

    def not_comparable(self, table: str, runs: Iterable[str]) -> str:
        """Why runs cannot be compared by a table, which was measured with other settings in one; "" if they can."""
        noted = self.settings.get(table, {})
        first, *others = [run for run in dict.fromkeys(map(str, runs)) if run in noted] or [""]
        for run in others:
            if different := other_settings(noted[run], noted[first]):
                other = f"was measured with other settings than that of run {first}: {different}"
                return f"{table} of run {run} {other}; measure all of them again with the same"
        return ""


def three_layers(layers: Sequence[str]) -> dict[str, str]:
    """The first, the middle and the last hidden layer of a network, by these words, which figure A.8 compares.

    Where there are convolutions, the middle layer is the middle one of them, as in the paper; where names do not tell
    which layers are convolutions, that of all hidden ones. The last of the `layers` is the output, which is no hidden
    one.
    """
    # A network of one layer has no other to show.
    hidden = list(layers[:-1]) or list(layers)
    inner = models.convolutions_of(hidden) or hidden
    return {"first": hidden[0], "middle": inner[len(inner) // 2], "last": hidden[-1]}
