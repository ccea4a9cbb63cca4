"""The paper's testable statements, each a function of a study's tables."""

from typing import NamedTuple

from memorize_jax.study import Study

VERDICTS = ("holds", "does not hold", "not testable")


class Claim(NamedTuple):
    """One row of the sheet.

    Attributes:
      claim: short name, e.g. "restored_rises_then_falls".
      statement: what the paper says, in our words.
      figure: the paper's figure, e.g. "2A".
      quantity: what was measured, with its unit.
      measured: the value; mean over seeds.
      low: lower end of the interval over seeds; NaN with one seed.
      high: upper end.
      threshold: that decides, as text: "> 0.1".
      verdict: one of `VERDICTS`.
      reason: why it is not testable here, or why the threshold is what it is.
    """

    claim: str
    statement: str
    figure: str
    quantity: str
    measured: float
    low: float
    high: float
    threshold: str
    verdict: str
    reason: str


def evaluate(study: Study) -> list[Claim]:
    """Judges every claim on a study.

    Args:
      study: the tables.

    Returns:
      One Claim per statement, in the order of the paper.
    """
    return []
