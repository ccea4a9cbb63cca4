"""Tables that are made unit by unit: an interruption costs one unit, and more can be added to a finished table."""

import json
import pathlib
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from memorize_jax.storage.tables import write_table
from memorize_jax.storage.unit_notes import Unit, finish, finished_units, resumed, unit_key


class MadeTable(NamedTuple):
    """A table that is finished.

    Attributes:
      num_made: number of its units that were made now.
      earlier_seconds: that the others took, for the finished table that it replaces or in an earlier attempt.
    """

    table: pd.DataFrame
    num_made: int
    earlier_seconds: float


def make_table(
    path: pathlib.Path,
    columns: Sequence[str],
    units: Iterable[Hashable],
    make_rows: Callable[[Hashable], list[dict] | None],
    *,
    settings: Mapping,
    otherwise: Callable[[Hashable], list[dict]] = lambda unit: [],
    made_of: Callable[[Any], Any] = lambda unit: [],
    still_holds: Callable[[Any, Any], bool] = lambda unit, noted: True,
) -> MadeTable:
    """Makes a table of many units of work; a unit that was made before is not made again.

    While the table is made, finished units are noted, line by line, in a file beside it. A finished table serves too: a
    call for more units, or for others, takes from its notes those that they have, and what a call for fewer leaves out
    is kept. The table is the same, byte for byte, however often its making was interrupted, and however it grew. One
    that was removed or changed is made anew.

    Args:
      units: keys of the units, in the order of the table; numbers, strings or tuples of them.
      make_rows: key -> rows; None for a unit that cannot be made now.
      settings: everything else the rows depend on, as JSON; rows made with other settings are not used.
      otherwise: key -> the rows that stand for a unit that cannot be made; a later attempt makes it.
      made_of: key -> what a unit is made of, as JSON; None where that cannot be told, and then it is made again.
      still_holds: takes a key, and what was noted of the unit when it was made; whether its rows can be taken.

    Raises ValueError for rows without the columns, or no rows at all.
    """
    settings = json.loads(json.dumps(settings, sort_keys=True))
    of_table = finished_units(path)
    finished = of_table[1] if of_table and of_table[0] == settings else {}
    made: dict[str, Unit] = {}
    before: list[str] = []
    with resumed(path, settings) as (begun, note):

        def found(unit, key):
            """The unit as it was made before, noted beside the new table, if its rows can be taken."""
            for known in (begun, finished):
                there = known.get(key)
                if there and there.made_of is not None and still_holds(unit, there.made_of):
                    return there if known is begun else note(key, there)
            return None

        for unit in units:
            key, started = unit_key(unit), time.perf_counter()
            if there := found(unit, key):
                made[key] = there
                before.append(key)
                continue
            own = made_of(unit)
            if (rows := make_rows(unit)) is None:
                made[key] = Unit(otherwise(unit), None)
            else:
                made[key] = note(key, Unit(rows, round(time.perf_counter() - started, 3), own))
        for key, unit in finished.items():
            # Not shown now, or shown by rows that stand for it.
            if key not in begun and (key not in made or made[key].seconds is None):
                note(key, unit)
    rows = [row for unit in made.values() for row in unit.rows]
    if not rows:
        raise ValueError(f"nothing could be measured for {path}")
    write_table(path, rows, columns)
    finish(path)
    earlier_seconds = sum(made[key].seconds or 0.0 for key in before)
    return MadeTable(pd.DataFrame(rows, columns=list(columns)), len(made) - len(before), earlier_seconds)
