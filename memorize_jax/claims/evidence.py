"""What a statement is judged on: the tables of one seed, and the conditions under which they can decide it."""

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax.epochs import best_epoch, final_epoch, stage_epoch
from memorize_jax.studies.study import command

# Permuted examples that carry their assigned label in a network that memorized, and by how much they outnumber those
# that carry their true one; with two classes half of them do in any network.
MEMORIZED, MEMORIZED_LEAD = 0.5, 0.25
# Examples of a group are fitted from the epoch on at which half of them are.
HALF = 0.5
# A network whose accuracy on true labels rose by less since the first epoch learned too little to forget it.
LEARNED = 0.1
# Where the final network is at least as good as this, relative to the peak, there is nothing to win back.
NOTHING_LOST = 0.9
# Fewer hidden layers have no first, middle and last third.
FEWEST_LAYERS = 3
# Column of a geometry seen by one of its kinds (`geometries.seen_by`): why a capacity is missing.
LACKS = "lacks"


class NotTestable(Exception):
    """The tables cannot decide a statement; the message says why."""


class Evidence(NamedTuple):
    """The tables of one seed of a study, all about the same network and data set; see `Study`.

    Attributes:
      workdir: folder of the study.
      layers: names of the analyzed layers in order; the last is the output. Empty where the runs of a sweep differ.
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

    def require(self, *conditions: str) -> None:
        """Raises NotTestable for the first of these `CONDITIONS` that is not met."""
        for condition in conditions:
            if reason := CONDITIONS[condition](self):
                raise NotTestable(reason)

    def stage_rows(self, table: str) -> pd.Series:
        """Which rows of a table are of a best or a final epoch; in a sweep each run has its own."""
        rows, metrics = self.tables[table], self.tables["metrics"]
        if "run" not in metrics:
            return rows["epoch"].isin({best_epoch(metrics), final_epoch(metrics)})
        own = {run: {best_epoch(one), final_epoch(one)} for run, one in metrics.groupby("run")}
        pairs = zip(rows["run"], rows["epoch"], strict=True)
        return pd.Series([epoch in own.get(run, ()) for run, epoch in pairs], index=rows.index, dtype=bool)

    def at_stage(self, table: str, stage: str) -> pd.DataFrame:
        """The rows, at least one, of the run's "best" or "final" epoch; NotTestable if nothing was measured there."""
        epoch = stage_epoch(self.tables["metrics"], stage)
        rows = self.tables[table]
        rows = rows[rows["epoch"] == epoch]
        if rows.empty:
            made_by = f"{command(table, self.folder)} --{table.removesuffix('s')}_epochs=best,final"
            raise NotTestable(f"nothing was measured at the {stage} epoch, {epoch}; measure it with: {made_by}")
        return rows


def not_memorized(permuted: float, restored: float, which: str) -> str:
    """Why accuracies on permuted examples, by assigned and by true labels, are not of memorizing; "" if they are."""
    if permuted >= MEMORIZED and permuted - restored >= MEMORIZED_LEAD:
        return ""
    return (
        f"training ended before {which} memorized: {permuted:.0%} of the permuted examples carry their "
        f"assigned label, {restored:.0%} their true one"
    )


def _hidden_layer(own):
    if not own.layers:
        return "the networks of the sweep differ in their layers; judge its runs one by one"
    return "" if own.hidden else f"the network has no hidden layer, only {own.layers[-1]}"


def _hidden_layers(own):
    too_few = f"{len(own.hidden)} hidden layers are too few to tell early from late ones"
    return _hidden_layer(own) or (too_few if len(own.hidden) < FEWEST_LAYERS else "")


def _permuted(own):
    return "no label was permuted" if own.tables["metrics"]["permuted_accuracy"].isna().all() else ""


def _unpermuted(own):
    return "all labels were permuted" if own.tables["metrics"]["unpermuted_accuracy"].isna().all() else ""


def _finished(own):
    at = f"training has not ended, it is at epoch {final_epoch(own.tables['metrics'])}"
    return f"{at}; resume it with: {command('train', own.folder)} and its flags" if own.unfinished else ""


def _memorized(own):
    ends = own.final("permuted_accuracy"), own.final("restored_accuracy")
    return _permuted(own) or not_memorized(*ends, "the network")


def _learned(own):
    rise = own.peak("test_accuracy") - own.first("test_accuracy")
    too_little = f"the network learned too little: test accuracy rose by {100 * rise:.1f} points at most"
    return _unpermuted(own) or ("" if rise >= LEARNED else too_little)


def _restored(own):
    rise = own.peak("restored_accuracy") - own.first("restored_accuracy")
    too_little = f"too little was learned of permuted examples' true labels: {100 * rise:.1f} points at most"
    return _permuted(own) or ("" if rise >= LEARNED else too_little)


def _peak(own):
    if reason := _learned(own):
        return reason
    metrics = own.tables["metrics"]
    is_last = best_epoch(metrics) == final_epoch(metrics)
    return "test accuracy was highest when training ended: best and final epoch are one" if is_last else ""


def _loss(own):
    if reason := _memorized(own) or _peak(own):
        return reason
    kept = own.final("test_accuracy") / own.peak("test_accuracy")
    too_little = f"too little was lost to win back: the final network has {kept:.0%} of the best one's accuracy"
    return too_little if kept > NOTHING_LOST else ""


# Condition -> function that says why evidence does not meet it; "" if it does.
CONDITIONS: dict[str, Callable[[Evidence], str]] = {
    "hidden layer": _hidden_layer,
    "early and late layers": _hidden_layers,
    "permuted labels": _permuted,
    "unpermuted labels": _unpermuted,
    "finished": _finished,
    "memorized": _memorized,
    # Something of the true labels.
    "learned": _learned,
    # True labels of permuted examples.
    "restored": _restored,
    # The best epoch came before the last.
    "peak": _peak,
    # Memorizing cost test accuracy.
    "loss": _loss,
}


def by_layer(rows: pd.DataFrame, group: str, column: str, layers: Sequence[str]) -> pd.Series:
    """One measure of one group at some layers, of rows of one epoch; raises NotTestable if a value is missing."""
    own = pd.Series(rows[column].to_numpy(), rows["layer"])[(rows["group"] == group).to_numpy()]
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
    """How far groups differ in a measure at one epoch: largest over smallest - 1, the largest of any layer."""
    found = pd.DataFrame({group: by_layer(rows, group, column, layers) for group in groups})
    return float((found.max(axis=1) / found.min(axis=1) - 1).max())


def require_named(found: str, kind: str, *expected: str) -> None:
    """Raises NotTestable where a statement is about other networks or data sets."""
    if found not in expected:
        raise NotTestable(f"said of the {kind} {' or '.join(expected)}, not of {found}")


def fall_of_test(evidence: Evidence) -> float:
    """Fall of test accuracy from its peak to the end, relative to the peak."""
    return 1 - evidence.final("test_accuracy") / evidence.peak("test_accuracy")
