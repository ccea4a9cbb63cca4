"""What the paper claims, and what each committed study says of it: the table that opens docs/results.md."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks import tables
from benchmarks.comparison import Judged
from memorize_jax.claims.statement import FAILS, HOLDS, NOT_TESTABLE, UNDECIDED, Claim

WORDS = {HOLDS[0]: "holds", HOLDS[1]: "holds", FAILS: "**fails**", UNDECIDED: "open", NOT_TESTABLE: ""}
# What a claim that fails somewhere fails by.
CAUSES = ("regime", "definition", "paper", "not known")


class Discussion(NamedTuple):
    """Why a claim fails where it does.

    Attributes:
      cause: "regime", the study is not what the paper ran; "definition", the words can be measured in several ways, and
        the answer depends on which; "paper", it fails where it should hold; or "not known".
      text: a few sentences of Markdown.
    """

    cause: str
    text: str


def table(studies: Sequence[Judged]) -> str:
    """A row for each claim that a study can test, a column for each study that tests one, as Markdown."""
    tested = [claim for claim in _claims(studies) if any(_verdict(one, claim) != NOT_TESTABLE for one in studies)]
    studies = [one for one in studies if tests_some(one)]
    header = ("claim", "figure", *(f"[{one.name}](#{one.name})" for one in studies))
    rows = [("*seeds*", "", *(str(len(one.study.seeds)) for one in studies))]
    rows += [(f"`{one.claim}`", one.figure, *(WORDS[_verdict(each, one)] for each in studies)) for one in tested]
    return tables.of_rows(header, rows)


def summary(studies: Sequence[Judged]) -> str:
    """How to read the table, and which claims are not in it, as Markdown."""
    names = ", ".join(f"`{name}`" for name in untested(studies))
    text = (
        "A row for each claim of the [claims sheet](claims.md), a column for each study below; empty where its tables cannot "
        "decide, *open* where an interval reaches across the threshold (where every seed must pass, that is *open* if their mean passes, and "
        "*fails* if it does not). One seed has no interval."
    )
    apart = ", ".join(f"[{one.name}](#{one.name})" for one in studies if not tests_some(one))
    text += (
        f" The runs of {apart} differ in their recipes or shares of permuted labels, and are judged one by one there."
        if apart
        else ""
    )
    return text + (f" No study here can test {names}." if names else "")


def tests_some(judged: Judged) -> bool:
    """Whether a study as a whole can test a claim: runs that differ in more than the paper's do cannot."""
    return any(claim.verdict != NOT_TESTABLE for claim in judged.claims)


def untested(studies: Sequence[Judged]) -> list[str]:
    """Names of the claims that no study can test."""
    return [one.claim for one in _claims(studies) if all(_verdict(each, one) == NOT_TESTABLE for each in studies)]


def failing(studies: Sequence[Judged]) -> dict[str, list[tuple[str, Claim]]]:
    """Claims that fail somewhere, with the studies in which they do and what was measured there."""
    found = {}
    for one in _claims(studies):
        where = [(each.name, each.claim(one.claim)) for each in studies if _verdict(each, one) == FAILS]
        if where:
            found[one.claim] = where
    return found


def discussions(studies: Sequence[Judged], about: Mapping[str, Discussion]) -> str:
    """A paragraph for each claim that fails somewhere, as Markdown; raises ValueError for one that is not discussed."""
    parts = []
    for name, where in failing(studies).items():
        try:
            own = about[name]
        except KeyError:
            names = ", ".join(study for study, _ in where)
            raise ValueError(f"expected a discussion of {name}, which fails in {names}") from None
        if own.cause not in CAUSES:
            raise ValueError(f"expected the cause of {name} to be one of {', '.join(CAUSES)}, got {own.cause!r}")
        statement, threshold = where[0][1].statement, where[0][1].threshold
        measured = ", ".join(f"{study} {claim.measured:.3g}{_ends(claim)}" for study, claim in where)
        parts.append(
            f"**`{name}`** ({where[0][1].figure}; {own.cause}). *{statement}* "
            f"Fails in {measured}; expected {threshold}. {own.text}"
        )
    return "\n\n".join(parts)


def _claims(studies: Sequence[Judged]) -> Sequence[Claim]:
    return studies[0].claims if studies else ()


def _verdict(judged: Judged, claim: Claim) -> str:
    return judged.claim(claim.claim).verdict


def _ends(claim: Claim) -> str:
    return "" if math.isnan(claim.low) else f" [{claim.low:.3g}, {claim.high:.3g}]"
