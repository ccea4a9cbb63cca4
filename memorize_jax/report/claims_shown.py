"""Claims as a page shows them: counted, parted, each with the reason for its verdict in sight."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from memorize_jax.claims.statement import HOLDS, NOT_TESTABLE, UNDECIDED, VERDICTS, Claim
from memorize_jax.measurements.registry import statements


class Judged(NamedTuple):
    """A claim that the tables decide or leave undecided.

    Attributes:
      doubt: why it is undecided; "" if it is not.
      reason: the rest of the claim's reason.
    """

    claim: Claim
    doubt: str
    reason: str


class Parted(NamedTuple):
    """The claims of a study: on what the paper says, on this library's own methods, and those that cannot be tested."""

    of_paper: list[Judged]
    of_method: list[Judged]
    not_testable: dict[str, list[Claim]]


def part(claims: Sequence[Claim]) -> Parted:
    """Parts claims by what a page says of them."""
    of_method = {one.name for one in statements() if one.checks_method}
    judged = [_judged(claim) for claim in claims if claim.verdict != NOT_TESTABLE]
    return Parted(
        [one for one in judged if one.claim.claim not in of_method],
        [one for one in judged if one.claim.claim in of_method],
        by_reason(claims),
    )


def _judged(claim: Claim) -> Judged:
    parts = claim.reason.split("; ")
    if claim.verdict != UNDECIDED:
        return Judged(claim, "", claim.reason)
    # Before it stands what a quantity with several definitions is by each of them.
    first = next((index for index, said in enumerate(parts) if said.startswith("not certain")), 0)
    return Judged(claim, parts[first], "; ".join(parts[:first] + parts[first + 1 :]))


def count(claims: Iterable[Claim]) -> dict[str, int]:
    """Verdict -> how many claims have it; of the two ways to hold those that occur, on one seed or on several."""
    found = Counter(claim.verdict for claim in claims)
    held = [verdict for verdict in HOLDS if found[verdict]] or HOLDS[:1]
    return {verdict: found[verdict] for verdict in VERDICTS if verdict in held or verdict not in HOLDS}


def by_reason(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """Reason -> the claims that are not testable for it."""
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.verdict == NOT_TESTABLE:
            found.setdefault(claim.reason, []).append(claim)
    return found
