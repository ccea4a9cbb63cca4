"""Statements about a quantity that the paper defines in two ways: they are judged by each of them."""

from collections.abc import Sequence
from typing import NamedTuple

from memorize_jax.claims.statement import FAILS, HOLDS, UNDECIDED


class Outcome(NamedTuple):
    """What one definition gives: mean over seeds and the ends of its interval, and what the reason begins with."""

    numbers: tuple[float, float, float]
    verdict: str
    said: list[str]

    @property
    def favor(self) -> int:
        """How much the definition speaks for the statement: 0 if it does not hold by it, 1 if that is undecided, 2."""
        return 2 if self.verdict in HOLDS else (FAILS, UNDECIDED).index(self.verdict)


def weigh(outcomes: Sequence[Outcome], names: Sequence[str], note: str, sign: str) -> Outcome:
    """Chooses what decides: the definition that speaks least for the statement; of several the least favorable value.

    It says what each definition ("equation 15") gives, whether the verdict depends on which is taken, and the note.
    """
    favor = [one.numbers[0] if sign == ">" else -one.numbers[0] for one in outcomes]
    decides = outcomes[min(range(len(outcomes)), key=lambda index: (outcomes[index].favor, favor[index]))]
    values = [f"{name} ({one.numbers[0]:.3g})" for name, one in zip(names, outcomes, strict=True)]
    said = f"by {' and '.join(values)}"
    if len({one.favor for one in outcomes}) > 1:
        pairs = list(zip(values, outcomes, strict=True))
        found = [[value for value, one in pairs if one.favor == favor] for favor in (2, 1, 0)]
        words = zip(("holds by", "undecided by", "not by"), found, strict=True)
        said = "depends on the form: " + ", ".join(f"{word} {' and '.join(own)}" for word, own in words if own)
    return decides._replace(said=[said, *decides.said, *filter(None, [note])])
