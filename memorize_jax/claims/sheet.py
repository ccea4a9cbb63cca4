"""Judges all statements on a study."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.claims.forms import Outcome, weigh
from memorize_jax.claims.geometries import JOINT, MEAN_FIELD, judging, num_components, seen_by
from memorize_jax.claims.sampling import SamplingError, sampling_error
from memorize_jax.claims.statement import FAILS, HOLDS, NOT_TESTABLE, UNDECIDED, Claim, Statement
from memorize_jax.statistics import student_t_interval
from memorize_jax.studies.study import Study, command

Seeds = dict[int, Evidence]
# Of a sweep of fractions, the runs that all but figure A.8 are about.
PAPERS_FRACTION = 0.5
# Column that a sweep adds to its tables.
_SWEPT = "permuted_fraction"
SEVERAL_WIDTHS = "these are networks of several widths; judge them one by one"
# Tables that a statement judged by a geometry uses where they are there.
OF_GEOMETRY = ("geometry", "capacity_check")
NAN = float("nan")


def evaluate(study: Study, statements: Sequence[Statement]) -> list[Claim]:
    """Judges every statement on a study: one Claim each.

    A claim holds if all of the Student-t interval over seeds is beyond the threshold, does not hold if none of it is,
    and is undecided if the threshold lies within. Where every seed must pass (`Statement.every_seed`) it holds if they
    do, does not hold if their mean does not either, and is undecided else. With one seed its value decides, unless the
    threshold is within its sampling error, where it has one, or that error is not known. Every seed must be able to
    decide it.
    """
    return [judge(statement, study) for statement in statements]


def judge(statement: Statement, study: Study) -> Claim:
    """Judges one statement."""
    numbers, verdict = (NAN, NAN, NAN), NOT_TESTABLE
    try:
        seeds = _evidence(statement, study)
        kind = judging(statement.by, list(seeds.values()), statement.needs)
        values = _measured(statement, _seen(seeds, kind))
    except NotTestable as untestable:
        reason = str(untestable)
    else:
        error = _error_of_one(statement, seeds, kind)
        if statement.forms:
            outcomes = [_outcome(statement, own[:, None], error) for own in values.T]
            numbers, verdict, said = weigh(outcomes, *statement.forms(list(seeds.values())), statement.threshold.sign)
        else:
            numbers, verdict, said = _outcome(statement, values, error)
        reason = "; ".join([*said, statement.why, *_remarks(statement, seeds, kind, error)])
    named = (statement.name, statement.statement, statement.figure, statement.quantity)
    return Claim(*named, *numbers, str(statement.threshold), verdict, reason)


def _outcome(statement: Statement, values: np.ndarray, error: SamplingError | None) -> Outcome:
    """What [seeds, parts] values of a quantity say."""
    found = student_t_interval(values, level=statement.level)
    ends = (values.min(axis=0), values.max(axis=0)) if statement.every_seed else (found.low, found.high)
    if len(values) == 1:
        ends = (NAN, NAN)
    mean, low, high = (float(np.min(value)) for value in (found.mean, *ends))
    return Outcome((mean, low, high), *_verdict(statement, (mean, low, high), len(values), error))


def _verdict(
    statement: Statement, numbers: tuple[float, float, float], num_seeds: int, error: SamplingError | None
) -> tuple[str, list[str]]:
    """The verdict, and why the claim is undecided where it is."""
    mean, low, high = numbers
    threshold = statement.threshold
    if num_seeds > 1:
        passed = [threshold.passed_by(end) for end in (low, high)]
        if all(passed):
            return HOLDS[0], []
        # Seeds that must all pass are no sample of an interval.
        if not any(passed) or (statement.every_seed and not threshold.passed_by(mean)):
            return FAILS, []
        what = "they reach" if statement.every_seed else f"the {100 * statement.level:g} % interval reaches"
        across = f"{what} from {low:.4g} to {high:.4g}, across the threshold"
        return UNDECIDED, [f"not certain with {num_seeds} seeds: {across}"]
    if error and abs(mean - threshold.value) < error.size:
        size = f"{mean:.4f} is within {error.size:.4f}, one standard error of its {error.sources}, of the threshold"
        if np.isinf(error.size):
            size = f"the standard error of its {error.sources} is not known"
        return UNDECIDED, [f"not certain with one seed: {size}"]
    return (HOLDS[1] if threshold.passed_by(mean) else FAILS), []


def _error_of_one(statement: Statement, seeds: Seeds, kind: str | None) -> SamplingError | None:
    """The error of a single seed's draws and examples; of several seeds the interval tells it."""
    if len(seeds) > 1:
        return None
    if statement.error:
        return SamplingError(statement.error(*seeds.values()), "sample of examples")
    if kind is None or "geometry" not in statement.needs:
        return None
    return sampling_error(statement.measure, *_seen(seeds, kind).values())


def _remarks(statement: Statement, seeds: Seeds, kind: str | None, error: SamplingError | None) -> list[str]:
    """By which geometry a statement was judged, what the other one says, and what is in the error of one seed."""
    if kind is None:
        return []
    components = num_components(list(seeds.values()))
    of_mean_field = f" ({components})" if components else ""
    what = "capacity" if statement.by == JOINT else "geometry"
    said = [f"judged by {kind} {what}{of_mean_field if kind == MEAN_FIELD else ''}"]
    if error and np.isfinite(error.size):
        sources = f"{error.sources} alone" if error.sources == "draws" else error.sources
        said.append(f"standard error {error.size:.2g} of {sources}")
    elif not error and len(seeds) == 1 and "geometry" in statement.needs:
        said.append("sampling error not measured")
    other = JOINT if kind == MEAN_FIELD else MEAN_FIELD
    if not set(OF_GEOMETRY) & set(statement.needs):
        return said
    try:
        beside = float(np.min(_measured(statement, _seen(seeds, other)).mean(axis=0)))
    except NotTestable:
        return said
    return [*said, f"by {other} {what}{of_mean_field if other == MEAN_FIELD else ''}: {beside:.4g}"]


def _seen(seeds: Seeds, kind: str | None) -> Seeds:
    return {seed: seen_by(own, kind) if kind else own for seed, own in seeds.items()}


def _measured(statement: Statement, seeds: Seeds) -> np.ndarray:
    """The quantity of every seed, [seeds, parts], or [seeds, definitions]."""
    found, reasons = [], {}
    for seed, evidence in seeds.items():
        try:
            found.append(statement.measure(evidence))
        except NotTestable as error:
            reasons[seed] = str(error)
        else:
            if not np.isfinite(found[-1]).all():
                reasons[seed] = "the quantity is NaN or infinite"
    # Seeds that cannot decide are not left out: those that can would be a selection.
    for seed, reason in reasons.items():
        alike = list(reasons.values()).count(reason) == len(seeds)
        raise NotTestable(reason if alike else f"seed {seed}: {reason}")
    if statement.over_seeds:
        return statement.over_seeds(found)
    return np.array(found) if statement.forms else np.array(found)[:, None]


def _evidence(statement: Statement, study: Study) -> Seeds:
    """Seed -> the tables that the statement needs."""
    for name in statement.needs:
        if name not in study.tables:
            raise NotTestable(_missing(name, study))
    tables = {name: study.tables[name] for name in statement.needs}
    seeds = sorted(set().union(*(table["seed"] for table in tables.values())))
    if ("width",) in (study.axes, statement.axes):
        if statement.axes != ("width",):
            raise NotTestable(SEVERAL_WIDTHS)
    elif study.axes:
        tables = _of_sweep(statement, study, tables)
    elif statement.axes:
        raise NotTestable(_one_fraction())
    # Says of a geometry what it is to be compared with, and which K it was measured with; nothing needs them.
    judged = next(iter(tables.values()))
    for name in OF_GEOMETRY if statement.by else ():
        if (beside := study.tables.get(name)) is not None:
            tables.setdefault(name, beside[beside["run"].isin(judged["run"])] if "run" in judged else beside)
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


def as_markdown(statements: Sequence[Statement]) -> str:
    """The table of `docs/claims.md`."""
    heads = ("claim", "figure", "statement", "quantity", "judged by", "threshold", "why this threshold")
    rows = [
        (f"`{one.name}`", one.figure, one.statement, one.quantity, one.by or "–", str(one.threshold), one.why)
        for one in statements
    ]
    head, *body = (f"| {' | '.join(cells)} |" for cells in (heads, *rows))
    return "\n".join([head, "|" + "---|" * len(heads), *body])
