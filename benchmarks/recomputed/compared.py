"""A number of a table beside the same one again."""

from typing import NamedTuple


class Recomputed(NamedTuple):
    """A number of a table, the same one again, and by how much they may differ."""

    table: str
    row: str
    quantity: str
    stored: float
    again: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether both are the same within what is allowed; NaN is not."""
        return abs(self.stored - self.again) <= self.allowed
