"""Which tables, of which runs of a study, a statement is judged on."""

from collections.abc import Iterable, Mapping

import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.statement import Statement
from memorize_jax.studies.study import Study, command

Seeds = dict[int, Evidence]
# Of a sweep of fractions, the runs that all but figure A.8 are about.
PAPERS_FRACTION = 0.5
# Column that a sweep adds to its tables.
_SWEPT = "permuted_fraction"
SEVERAL_WIDTHS = "these are networks of several widths; judge them one by one"
# Tables that a statement judged by a geometry uses where they are there.
OF_GEOMETRY = ("geometry", "capacity_check")


def evidence_of(statement: Statement, study: Study) -> Seeds:
    """Seed -> the tables that a statement needs; raises NotTestable where they are missing or cannot be compared."""
    for name in statement.needs:
        if name not in study.tables:
            raise NotTestable(_missing(name, study))
    tables = {name: study.tables[name] for name in statement.needs}
    seeds = sorted(set().union(*(table["seed"] for table in tables.values())))
    if ("width",) in (study.axes, statement.axes):
        if statement.axes != ("width",):
            raise NotTestable(SEVERAL_WIDTHS)
        _require_widths_alone(tables, study.axes)
    elif study.axes:
        tables = _of_sweep(statement, study, tables)
    elif statement.axes:
        raise NotTestable(_one_fraction())
    # Says of a geometry what it is to be compared with, and which K it was measured with; nothing needs them.
    judged = next(iter(tables.values()))
    for name in OF_GEOMETRY if statement.by else ():
        if (beside := study.tables.get(name)) is not None:
            tables.setdefault(name, beside[beside["run"].isin(judged["run"])] if "run" in judged else beside)
    for name, table in tables.items():
        if reason := study.not_comparable(name, table.get("run", ())):
            raise NotTestable(reason)
    return {seed: _of_seed(study, tables, seed) for seed in seeds}


def _of_sweep(statement: Statement, study: Study, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The rows of the runs that the statement is about; raises NotTestable unless they can be compared."""
    metrics = study.tables["metrics"]
    has_fractions = metrics[_SWEPT].nunique() > 1
    if statement.axes and not has_fractions:
        raise NotTestable(_one_fraction())
    if has_fractions and not statement.axes:
        metrics = metrics[metrics[_SWEPT] == PAPERS_FRACTION]
        if metrics.empty:
            raise NotTestable("no run of the sweep has half of the labels permuted; judge its runs one by one")
        # Seeds that were not trained yet are not left out: the others would be a selection.
        if lacking := sorted(set(study.tables["metrics"]["seed"]) - set(metrics["seed"])):
            lacks = f"seed {lacking[0]} has no run with permuted fraction {PAPERS_FRACTION:g}, as other seeds have"
            raise NotTestable(f"{lacks}; resume the sweep")
    _require_alike(metrics, study.axes, bool(statement.axes))
    runs = metrics[["run", "seed", _SWEPT]].drop_duplicates()
    for name, table in tables.items():
        there = set(zip(table["run"], table["seed"], strict=True))
        for run, seed, fraction in runs.itertuples(index=False):
            if (run, seed) not in there:
                which = f"run {run} (permuted fraction {fraction:g}, seed {seed})"
                made_by = study.command(name, study.workdir / str(run))
                raise NotTestable(f"{which} has no table {name}; make it with: {made_by}")
    return {name: table[table["run"].isin(runs["run"])] for name, table in tables.items()}


def _require_widths_alone(tables: Mapping[str, pd.DataFrame], axes: Iterable[str]) -> None:
    """Raises NotTestable if networks of several widths differ in something else too."""
    for table in tables.values():
        others = [name for name in axes if name not in ("width", "seed") and table[name].nunique(dropna=False) > 1]
        if others:
            raise NotTestable(f"the networks differ in more than their width, in {', '.join(others)}")


def _require_alike(metrics: pd.DataFrame, axes: Iterable[str], many_fractions: bool) -> None:
    """Raises NotTestable if runs differ in more than what the statement is about, or seeds in their fractions."""
    others = [name for name in axes if name not in (_SWEPT, "seed") and metrics[name].nunique(dropna=False) > 1]
    runs = metrics.groupby(["seed", _SWEPT] if many_fractions else "seed")["run"].nunique()
    if others or (runs > 1).any():
        named = f", in {', '.join(others)}" if others else ""
        what = f"in more than their permuted fraction{named}"
        raise NotTestable(f"the runs of the sweep differ {what}; judge them one by one")
    fractions = set(metrics[_SWEPT])
    for seed, own in metrics.groupby("seed"):
        if lacking := fractions - set(own[_SWEPT]):
            raise NotTestable(f"seed {seed} has no run with permuted fraction {min(lacking):g}, as other seeds have")


def _of_seed(study: Study, tables: Mapping[str, pd.DataFrame], seed: int) -> Evidence:
    own = {name: table[table["seed"] == seed].reset_index(drop=True) for name, table in tables.items()}
    runs = {str(run) for table in own.values() for run in table.get("run", [""])}
    unfinished = any((run, seed) in study.unfinished for run in runs)
    return Evidence(study.workdir, study.model, study.dataset, study.layers, own, unfinished)


def _one_fraction():
    made_by = f"{command('sweep', 'OTHER_FOLDER')} --grid=permuted_fraction=0,0.25,0.5,0.75,1"
    return f"the runs have one permuted fraction; compare several with: {made_by}"


def _missing(table: str, study: Study) -> str:
    """Why there is no such table, and what makes it."""
    if table == "double_descent":
        made_by = command("double_descent", "OTHER_FOLDER")
        return f"these are not networks of several widths; train some with: {made_by}"
    if study.axes == ("width",):
        return SEVERAL_WIDTHS
    return f"no table {table}; make it with: {study.command(table, study.workdir / 'RUN' if study.axes else None)}"
