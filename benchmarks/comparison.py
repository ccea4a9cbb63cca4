"""What a published number beside ours is, and a judged study that numbers come from."""

from collections.abc import Sequence
from typing import NamedTuple

from memorize_jax.claims.statement import Claim
from memorize_jax.studies.study import Study

NONE = "–"


class Comparison(NamedTuple):
    """A published number beside ours.

    Attributes:
      source: who states it, and where.
      where: name of the study, or of what else was measured.
      ours: with several seeds with its interval.
      n: what it was measured on.
      reason: for the gap, in a few words.
    """

    quantity: str
    source: str
    published: str
    where: str
    ours: str
    n: str
    gap: str
    reason: str


class Judged(NamedTuple):
    """A study, by the name of its folder, and the claims judged on it."""

    name: str
    study: Study
    claims: Sequence[Claim]

    def claim(self, name: str) -> Claim:
        """One claim by name."""
        return next(claim for claim in self.claims if claim.claim == name)
