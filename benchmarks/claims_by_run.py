"""What each run of a sweep says of the claims, where the runs differ in more than their seeds: a column for each."""

from collections.abc import Sequence

import pandas as pd

from benchmarks import claims_by_study, tables
from benchmarks.comparison import NONE, Judged
from memorize_jax.claims.sheet import evaluate
from memorize_jax.claims.statement import NOT_TESTABLE, Claim
from memorize_jax.config import RunConfig
from memorize_jax.measurements.geometry.memorization_by_layer import followers
from memorize_jax.measurements.registry import open_study, statements
from memorize_jax.studies.study import Study


def judged_runs(study: Study) -> list[Judged]:
    """The runs of a sweep, each judged by itself, under a name that says what is not as usual in it.

    Args:
      study: whose runs differ in its `axes`.
    """
    follows, runs = followers(study), study.tables["metrics"].drop_duplicates("run")
    axes = [name for name in study.axes if name not in follows]
    studies = [(_named(row, axes), open_study(study.workdir / str(row["run"]))) for _, row in runs.iterrows()]
    return [Judged(name, one, evaluate(one, statements())) for name, one in studies]


def table(runs: Sequence[Judged]) -> str:
    """A row for each claim that one of the runs can test: what was measured, and whether it holds, as Markdown."""
    rows = []
    for claims in zip(*(one.claims for one in runs), strict=True):
        if any(claim.verdict != NOT_TESTABLE for claim in claims):
            rows.append((f"`{claims[0].claim}` ({claims[0].figure})", claims[0].threshold, *map(_said, claims)))
    return tables.of_rows(("claim", "expected", *(one.name for one in runs)), rows)


def _said(claim: Claim) -> str:
    if claim.verdict == NOT_TESTABLE:
        return NONE
    return f"{claim.measured:.3g}, {claims_by_study.WORDS[claim.verdict]}"


def _named(row: pd.Series, axes: Sequence[str]) -> str:
    """The first field that varies, and of the others those that are not as usual."""
    usual, said = RunConfig(), lambda name: f"{name.replace('_', ' ')} {row[name]}"
    others = [said(name) for name in axes[1:] if row[name] != getattr(usual, name)]
    # Numbers say nothing without their field, names do.
    return ", ".join([row[axes[0]] if isinstance(row[axes[0]], str) else said(axes[0]), *others])
