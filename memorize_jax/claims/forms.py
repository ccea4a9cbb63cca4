"""Statements about a quantity that the paper defines in two ways: they are judged by each of them."""

from collections.abc import Sequence
from typing import NamedTuple


class Outcome(NamedTuple):
    """What one definition gives: mean over seeds and the ends of its interval, and what the reason begins with."""

    numbers: tuple[float, float, float]
    verdict: str
    said: list[str]

    @property
    def holds(self) -> bool:
        """Whether the statement holds by this definition."""
        return self.verdict.startswith("holds")


def weigh(outcomes: Sequence[Outcome], names: Sequence[str], note: str, sign: str) -> Outcome:
    """Chooses what decides: a definition by which the statement fails, if there is one; of several the least favorable.

    It says what each definition ("equation 15") gives, whether the verdict depends on which is taken, and the note.
    """
    favor = [one.numbers[0] if sign == ">" else -one.numbers[0] for one in outcomes]
    decides = outcomes[min(range(len(outcomes)), key=lambda index: (outcomes[index].holds, favor[index]))]
    values = [f"{name} ({one.numbers[0]:.3g})" for name, one in zip(names, outcomes, strict=True)]
    holds = [value for value, one in zip(values, outcomes, strict=True) if one.holds]
    fails = [value for value in values if value not in holds]
    said = f"by {' and '.join(values)}"
    if holds and fails:
        said = f"depends on the form: holds by {' and '.join(holds)}, not by {' and '.join(fails)}"
    return decides._replace(said=[said, *decides.said, *filter(None, [note])])
