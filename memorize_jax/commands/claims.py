"""Judges the paper's statements by the tables of a run, an ensemble or a sweep.

    python -m experiments.claims --workdir=runs/mine
    python -m experiments.claims --markdown

Writes results/claims.csv and prints the sheet: what holds, what does not, and what these tables cannot decide. Nothing
is computed anew; where a table is missing, the sheet names the command that makes it. What is undecided is near its
threshold: the sheet says how far an interval or an error reaches across it.
"""

import collections
import math
import textwrap
from collections.abc import Sequence

from memorize_jax.claims.sheet import as_markdown, evaluate
from memorize_jax.claims.statement import NOT_TESTABLE, VERDICTS, Claim
from memorize_jax.commands import cli
from memorize_jax.measurements.registry import open_study, statements
from memorize_jax.report.claims_shown import by_reason
from memorize_jax.runs.folder import RunFolder, check_writable
from memorize_jax.storage.tables import CLAIMS, write_table
from memorize_jax.studies.study import Study

WIDTH = 110
INDENT = " " * 4


def judge(study: Study) -> list[Claim]:
    """Judges all claims on a study and writes its results/claims.csv; raises OSError where that cannot be."""
    check_writable(study.workdir)
    claims = evaluate(study, statements())
    write_table(RunFolder(study.workdir).results / "claims.csv", [claim._asdict() for claim in claims], CLAIMS)
    return claims


def sheet(claims: Sequence[Claim]) -> str:
    """The claims as text for a terminal: those of each verdict, why some cannot be tested, how many of each."""
    lines = []
    for claim in sorted(claims, key=lambda claim: VERDICTS.index(claim.verdict)):
        if claim.verdict != NOT_TESTABLE:
            texts = *_wrapped(claim.statement), *_wrapped(_detail(claim))
            lines += [f"{claim.verdict.upper()}  {_named(claim)}", *texts, ""]
    for reason, left in by_reason(claims).items():
        # The reason stays unbroken: it may end with a command to copy.
        names = ", ".join(map(_named, left))
        lines += [NOT_TESTABLE.upper(), *_wrapped(names), f"{INDENT}Why: {reason}", ""]
    counts = collections.Counter(claim.verdict for claim in claims)
    return "\n".join([*lines, ", ".join(f"{verdict}: {counts[verdict]}" for verdict in VERDICTS)])


def _named(claim):
    return f"{claim.claim} ({'figure ' * any(map(str.isdigit, claim.figure[:3]))}{claim.figure})"


def _detail(claim):
    ends = "" if math.isnan(claim.low) else f" [{claim.low:.4g}, {claim.high:.4g}]"
    return f"{claim.measured:.4g}{ends}, expected {claim.threshold} ({claim.reason}): {claim.quantity}."


def _wrapped(text):
    return textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def main() -> None:
    """Reads the flags and judges."""
    if cli.FLAGS.markdown:
        print(as_markdown(statements()))
        return
    study = open_study(cli.required_workdir())
    print(sheet(judge(study)))
    print(f"written: {RunFolder(study.workdir).results / 'claims.csv'}")


def define() -> None:
    """Defines the flags."""
    cli.flags_of_all()
    cli.switch("markdown", "Only print the table of all statements, as in docs/claims.md.")
