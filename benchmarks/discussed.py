"""Why claims fail where they do: what docs/results.md says below its first table."""

from benchmarks.claims_by_study import CAUSES, Discussion
from benchmarks.prose import sections


def discussed() -> dict[str, Discussion]:
    """Claim -> its discussion, of prose/discussed.md, whose headings are CLAIM: CAUSE.

    Raises ValueError for another cause, or more than one paragraph.
    """
    found = {}
    for heading, paragraphs in sections("discussed.md").items():
        claim, _, cause = heading.partition(": ")
        if cause not in CAUSES or len(paragraphs) != 1:
            raise ValueError(f"expected a paragraph below CLAIM: {' | '.join(CAUSES)}, got {heading!r}")
        found[claim] = Discussion(cause, paragraphs[0])
    return found
