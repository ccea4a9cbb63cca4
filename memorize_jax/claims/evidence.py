"""What a statement is judged on: the tables of one seed, and the conditions under which they can decide it."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax.epochs import best_epoch, final_epoch
from memorize_jax.studies.study import command

# Permuted examples that carry their assigned label in a network that memorized, and by how much they outnumber those
# that carry their true one; with two classes half of them do in any network.
MEMORIZED, MEMORIZED_LEAD = 0.5, 0.25
# Examples of a group are fitted from the epoch on at which half of them are.
HALF = 0.5
# A network whose test accuracy rose by less since the first epoch learned too little to have a best epoch.
LEARNED = 0.1
# Where the final network is at least as good as this, relative to the peak, there is nothing to win back.
NOTHING_LOST = 0.9
# Fewer hidden layers have no first, middle and last third.
FEWEST_LAYERS = 3
# Column of a geometry seen by one of its kinds (`geometries.seen_by`): why a capacity is missing.
LACKS = "lacks"


class NotTestable(Exception):
    """The tables cannot decide a statement; the message says why."""


def check_memorized(permuted: float, restored: float, which: str) -> None:
    """Raises NotTestable unless accuracies on permuted examples, by assigned and by true labels, are of memorizing."""
    if not (permuted >= MEMORIZED and permuted - restored >= MEMORIZED_LEAD):
        raise NotTestable(
            f"training ended before {which} memorized: {permuted:.0%} of the permuted examples carry their "
            f"assigned label, {restored:.0%} their true one"
        )


class Evidence(NamedTuple):
    """The tables of one seed.

    Attributes:
      workdir: folder of the study.
      model: name of the network.
      dataset: name of the data set.
      layers: names of the analyzed layers in order; the last is the output.
      tables: name -> table of this seed.
      unfinished: whether training has not come to its end.
    """

    workdir: pathlib.Path
    model: str
    dataset: str
    layers: tuple[str, ...]
    tables: dict[str, pd.DataFrame]
    unfinished: bool = False

    @property
    def hidden(self) -> tuple[str, ...]:
        """The layers but for the output, which has as many features as classes whatever the network does."""
        return self.layers[:-1]

    @property
    def folder(self) -> pathlib.Path:
        """What a command takes that adds to these tables: the study's folder, of a sweep that of the run."""
        table = next(iter(self.tables.values()))
        return self.workdir / str(table["run"].iloc[0]) if "run" in table else self.workdir

    def first(self, column: str) -> float:
        """A column of the metrics at the first epoch."""
        return float(self.tables["metrics"][column].iloc[0])

    def final(self, column: str) -> float:
        """A column of the metrics at the last epoch."""
        return float(self.tables["metrics"][column].iloc[-1])

    def peak(self, column: str) -> float:
        """The highest value of a column of the metrics."""
        return float(self.tables["metrics"][column].max())

    def require_hidden_layer(self) -> None:
        """Raises NotTestable if there is no hidden layer, or if which there are depends on the run of a sweep."""
        if not self.layers:
            raise NotTestable("the networks of the sweep differ in their layers; judge its runs one by one")
        if not self.hidden:
            raise NotTestable(f"the network has no hidden layer, only {self.layers[-1]}")

    def require_hidden_layers(self) -> None:
        """Raises NotTestable if the network is too shallow to have early and late layers."""
        self.require_hidden_layer()
        if len(self.hidden) < FEWEST_LAYERS:
            raise NotTestable(f"{len(self.hidden)} hidden layers are too few to tell early from late ones")

    def require_permuted(self) -> None:
        """Raises NotTestable if no label was permuted."""
        if self.tables["metrics"]["permuted_accuracy"].isna().all():
            raise NotTestable("no label was permuted")

    def require_finished(self) -> None:
        """Raises NotTestable if training was interrupted or is still going on."""
        if self.unfinished:
            epoch = final_epoch(self.tables["metrics"])
            raise NotTestable(
                f"training has not ended, it is at epoch {epoch}; go on with: python -m experiments.train "
                f"--workdir={self.folder} and its flags"
            )

    def require_unpermuted(self) -> None:
        """Raises NotTestable if all labels were permuted."""
        if self.tables["metrics"]["unpermuted_accuracy"].isna().all():
            raise NotTestable("all labels were permuted")

    def require_memorized(self) -> None:
        """Raises NotTestable unless the final network has memorized the permuted examples."""
        self.require_permuted()
        check_memorized(self.final("permuted_accuracy"), self.final("restored_accuracy"), "the network")

    def require_learned(self) -> None:
        """Raises NotTestable unless the network learned something of the true labels."""
        self.require_unpermuted()
        rise = self.peak("test_accuracy") - self.first("test_accuracy")
        if not rise >= LEARNED:
            raise NotTestable(f"the network learned too little: test accuracy rose by {100 * rise:.1f} points at most")

    def require_peak(self) -> None:
        """Raises NotTestable unless the network learned and its best epoch came before its last."""
        self.require_learned()
        metrics = self.tables["metrics"]
        if best_epoch(metrics) == final_epoch(metrics):
            raise NotTestable("test accuracy was highest when training ended: best and final epoch are one")

    def require_loss(self) -> None:
        """Raises NotTestable unless memorizing cost the final network test accuracy."""
        self.require_memorized()
        self.require_peak()
        kept = self.final("test_accuracy") / self.peak("test_accuracy")
        if kept > NOTHING_LOST:
            raise NotTestable(
                f"too little was lost to win back: the final network has {kept:.0%} of the best one's accuracy"
            )

    def stage_rows(self, table: str) -> pd.Series:
        """Which rows of a table are of a best or a final epoch; in a sweep each run has its own."""
        rows, metrics = self.tables[table], self.tables["metrics"]
        runs = metrics["run"].unique() if "run" in metrics else [None]
        found = pd.Series(False, index=rows.index)
        for run in runs:
            own = metrics if run is None else metrics[metrics["run"] == run]
            among = rows["epoch"].isin({best_epoch(own), final_epoch(own)})
            found |= among if run is None else among & (rows["run"] == run)
        return found

    def at_stage(self, table: str, stage: str) -> pd.DataFrame:
        """The rows of the run's best or final epoch.

        Args:
          table: name of one with a column `epoch`.
          stage: "best" or "final".

        Returns:
          at least one row.

        Raises:
          NotTestable: nothing was measured at that epoch; says what does it.
        """
        epoch = {"best": best_epoch, "final": final_epoch}[stage](self.tables["metrics"])
        rows = self.tables[table]
        rows = rows[rows["epoch"] == epoch]
        if rows.empty:
            flag = table.removesuffix("s")
            made_by = f"{command(table, self.folder)} --{flag}_epochs=best,final"
            raise NotTestable(f"nothing was measured at the {stage} epoch, {epoch}; measure it with: {made_by}")
        return rows


def by_layer(rows: pd.DataFrame, group: str, column: str, layers: Sequence[str]) -> pd.Series:
    """One measure of one group at some layers.

    Args:
      rows: of the geometry at one epoch.
      group: of examples.
      column: the measure.
      layers: names.

    Returns:
      indexed by layer, in this order, without NaN.

    Raises:
      NotTestable: there are no such manifolds, or a number could not be had.
    """
    own = rows[rows["group"] == group].set_index("layer")[column]
    if own.empty:
        raise NotTestable(f"there are no {group} manifolds")
    found = own.reindex(list(layers))
    if found.isna().any():
        missing = found.index[found.isna()]
        lacks = rows[(rows["group"] == group) & rows["layer"].isin(missing)].get(LACKS, pd.Series(dtype=str))
        for reason in lacks[lacks != ""].iloc[:1]:
            # What all rows lack is not said of these layers.
            where = "" if (rows[LACKS] == reason).all() else f"{group} manifolds at {', '.join(missing)}: "
            raise NotTestable(f"{where}{reason}")
        raise NotTestable(f"no {column} of {group} manifolds at {', '.join(missing)}")
    return found


def unlike(rows: pd.DataFrame, groups: Sequence[str], column: str, layers: Sequence[str]) -> float:
    """How far groups differ in a measure.

        largest over smallest of any group - 1

    Args:
      rows: of the geometry at one epoch.
      groups: of examples.
      column: the measure.
      layers: names.

    Returns:
      the largest of any layer.
    """
    found = pd.DataFrame({group: by_layer(rows, group, column, layers) for group in groups})
    return float((found.max(axis=1) / found.min(axis=1) - 1).max())


def require_named(found: str, kind: str, *expected: str) -> None:
    """Raises NotTestable where a statement is about other networks or data sets."""
    if found not in expected:
        raise NotTestable(f"said of the {kind} {' or '.join(expected)}, not of {found}")


def fall_of_test(evidence: Evidence) -> float:
    """Fall of test accuracy from its peak to the end, relative to the peak."""
    return 1 - evidence.final("test_accuracy") / evidence.peak("test_accuracy")
