"""Judges all statements on a study."""

from collections.abc import Sequence

import numpy as np

from memorize_jax.claims.evidence import NotTestable
from memorize_jax.claims.forms import Outcome, weigh
from memorize_jax.claims.geometries import JOINT, MEAN_FIELD, judging, num_components, seen_by
from memorize_jax.claims.sampling import SamplingError, sampling_error
from memorize_jax.claims.selection import OF_GEOMETRY, Seeds, evidence_of
from memorize_jax.claims.statement import FAILS, HOLDS, NOT_TESTABLE, UNDECIDED, Claim, Statement
from memorize_jax.statistics import student_t_interval
from memorize_jax.studies.study import Study

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
        seeds = evidence_of(statement, study)
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
    return [*_not_ended(seeds), *_by_geometry(statement, seeds, kind, error)]


def _not_ended(seeds: Seeds) -> list[str]:
    """That what was judged is not the end of training, where it is not."""
    going_on = [seed for seed, own in seeds.items() if own.unfinished]
    if not going_on:
        return []
    whose = "" if len(seeds) == 1 else f" of seed {', '.join(map(str, going_on))}"
    return [f"training{whose} has not ended: what is called final is the last epoch so far"]


def _by_geometry(statement: Statement, seeds: Seeds, kind: str | None, error: SamplingError | None) -> list[str]:
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
            if not np.isfinite(np.asarray(found[-1])).all():
                reasons[seed] = "the quantity is NaN or infinite"
    # Seeds that cannot decide are not left out: those that can would be a selection.
    for seed, reason in reasons.items():
        alike = list(reasons.values()).count(reason) == len(seeds)
        raise NotTestable(reason if alike else f"seed {seed}: {reason}")
    if statement.over_seeds:
        return statement.over_seeds(found)
    return np.array(found) if statement.forms else np.array(found)[:, None]


def as_markdown(statements: Sequence[Statement]) -> str:
    """The table of `docs/claims.md`."""
    heads = ("claim", "figure", "statement", "quantity", "judged by", "threshold", "why this threshold")
    rows = [
        (f"`{one.name}`", one.figure, one.statement, one.quantity, one.by or "–", str(one.threshold), one.why)
        for one in statements
    ]
    head, *body = (f"| {' | '.join(cells)} |" for cells in (heads, *rows))
    return "\n".join([head, "|" + "---|" * len(heads), *body])
