"""What a testable statement is, and what judging it gives."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from memorize_jax.claims.evidence import Evidence

HOLDS = ("holds", "holds (one seed)")
FAILS, UNDECIDED, NOT_TESTABLE = "does not hold", "undecided", "not testable"
VERDICTS = (*HOLDS, FAILS, UNDECIDED, NOT_TESTABLE)
# A relative change, or a difference of shares, that counts; several thresholds are this one.
NOTICEABLE = 0.1


class Threshold(NamedTuple):
    """What decides: the measured value must be on the side `sign` (">" or "<") of `value`."""

    sign: str
    value: float

    def __str__(self):
        return f"{self.sign} {self.value:g}"

    def passed_by(self, measured: float) -> bool:
        """Whether a value is on the right side; NaN is not."""
        return measured > self.value if self.sign == ">" else measured < self.value


class Statement(NamedTuple):
    """A statement of the paper that tables can decide.

    Attributes:
      figure: of the paper, e.g. "2A".
      statement: what the paper says, in our words.
      quantity: what is measured, with its unit.
      why: the threshold is what it is.
      measure: takes the tables of one seed and gives the quantity; raises NotTestable, saying why, where it cannot.
      needs: names of the tables that it reads.
      level: of the Student-t interval over seeds.
      axes: fields in which the runs that it compares differ, e.g. ("permuted_fraction",); () for one network.
      by: which geometry judges it, one of `geometries.KINDS`, the other one being shown beside; None where none does.
      every_seed: whether each seed must pass, and the interval is from the lowest to the highest of them. For the
        largest of many layers, a share and whatever else ends at 0 or 1: an interval about the mean would reach beyond.
      over_seeds: for a quantity that only the seeds together have: takes what `measure` gives for each of them, and
        gives [seeds, parts], which must all be above the threshold: mean, low and high are each the least of any part;
        None where every seed has its own.
      forms: for a quantity with several definitions, of which `measure` gives an array: takes the tables of all seeds
        and gives the names of the definitions, and a note on them or "". It must hold by each (`forms.weigh`).
      error: takes the tables of a single seed and gives the standard error of the quantity, from the sample of examples
        that it is of; None where there is none, or where the geometry has one (`sampling`).
      checks_method: whether it tests this library's own methods, rather than what networks do.
    """

    name: str
    figure: str
    statement: str
    quantity: str
    threshold: Threshold
    why: str
    measure: Callable[[Evidence], Any]
    needs: tuple[str, ...] = ("metrics",)
    level: float = 0.95
    axes: tuple[str, ...] = ()
    by: str | None = None
    every_seed: bool = False
    over_seeds: Callable[[list], np.ndarray] | None = None
    forms: Callable[[Sequence[Evidence]], tuple[Sequence[str], str]] | None = None
    error: Callable[[Evidence], float] | None = None
    checks_method: bool = False


def stating(statements: list[Statement], **common) -> Callable:
    """Makes a decorator for the functions that measure: each becomes a Statement with these options, added to the list.

    @stated(figure, statement, quantity, above(threshold, why), **options)
    def _restored_rises(evidence): ...
    """

    def stated(figure, statement, quantity, threshold, name="", **options):
        limit, why = threshold

        def add(measure):
            about = (name or measure.__name__.removeprefix("_"), figure, statement, quantity, limit, why, measure)
            statements.append(Statement(*about, **common | options))
            return measure

        return add

    return stated


def above(value: float, why: str) -> tuple[Threshold, str]:
    """A threshold that larger values pass, and why it is what it is."""
    return Threshold(">", value), why


def below(value: float, why: str) -> tuple[Threshold, str]:
    """A threshold that smaller values pass, and why it is what it is."""
    return Threshold("<", value), why


class Claim(NamedTuple):
    """One row of the sheet: a Statement, the mean over seeds, and the ends of the interval; NaN where there is none.

    Attributes:
      claim: name of the Statement.
      verdict: one of `VERDICTS`.
      reason: why it is not testable or undecided here; why the threshold is what it is, by which geometry it was
        judged, and what the other one says.
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
