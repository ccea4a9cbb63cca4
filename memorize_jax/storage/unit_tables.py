"""Tables that are made unit by unit: an interruption costs one unit, and more can be added to a finished table."""

import contextlib
import json
import os
import pathlib
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, cast

import pandas as pd

from memorize_jax.storage.files import checksum
from memorize_jax.storage.finished_units import Unit, finished_units, note_units, unit_key
from memorize_jax.storage.tables import write_table


class MadeTable(NamedTuple):
    """A table that is finished.

    Attributes:
      num_made: number of its units that were made now.
      earlier_seconds: that the others took, for the finished table that it replaces or in an earlier attempt.
    """

    table: pd.DataFrame
    num_made: int
    earlier_seconds: float


class _Line(NamedTuple):
    """A sound line of the notes, and the bytes of the file up to its end."""

    key: str
    content: Any
    more: tuple
    end: int

    @property
    def unit(self) -> Unit:
        # Notes of an earlier version have less.
        seconds, made_of = (*self.more, *(0.0, [])[len(self.more) :])
        return Unit(self.content, cast("float", seconds), made_of)


def make_table(
    path: pathlib.Path,
    columns: Sequence[str],
    units: Iterable[Hashable],
    make_rows: Callable[[Hashable], list[dict] | None],
    *,
    settings: Mapping,
    otherwise: Callable[[Hashable], list[dict]] = lambda unit: [],
    made_of: Callable[[Hashable], Any] = lambda unit: [],
    is_sound: Callable[[Hashable], bool] = lambda unit: True,
) -> MadeTable:
    """Makes a table of many units of work; a unit that was made before is not made again.

    While the table is made, finished units are noted, line by line, in a file beside it. A finished table serves too: a
    call for more units, or for others, takes from it those that it has, and what a call for fewer leaves out is kept.
    The table is the same, byte for byte, however often its making was interrupted, and however it grew.

    Args:
      units: keys of the units, in the order of the table; numbers, strings or tuples of them.
      make_rows: key -> rows; None for a unit that cannot be made now.
      settings: everything else the rows depend on, as JSON; rows made with other settings are not used.
      otherwise: key -> the rows that stand for a unit that cannot be made; a later attempt makes it.
      made_of: key -> what a unit is made of now, as JSON; rows made of something else are not used. None where that
        cannot be told, as of what is damaged: such a unit is made in any case.
      is_sound: key -> whether all that it is made of can be used; asked before rows of a finished table are taken.

    Raises ValueError for rows without the columns, or no rows at all.
    """
    settings = json.loads(json.dumps(settings, sort_keys=True))
    of_table = finished_units(path)
    finished = of_table[1] if of_table and of_table[0] == settings else {}
    made: dict[str, Unit] = {}
    before: list[str] = []
    with _resumed(path, settings) as (begun, note):
        for unit in units:
            key, started = unit_key(unit), time.perf_counter()
            own = json.loads(json.dumps(made_of(unit)))
            there = [known[key] for known in (begun, finished) if key in known and known[key].made_of == own]
            if there and own is not None and (key in begun or is_sound(unit)):
                # Noted once more, so that nothing is lost between the new table and the note of its units.
                made[key] = there[0] if key in begun else note(key, there[0])
                before.append(key)
            elif (rows := make_rows(unit)) is None:
                made[key] = Unit(otherwise(unit), None)
            else:
                made[key] = note(key, Unit(rows, round(time.perf_counter() - started, 3), own))
    rows = [row for unit in made.values() for row in unit.rows]
    if not rows:
        raise ValueError(f"nothing could be measured for {path}")
    write_table(path, rows, columns)
    note_units(path, settings, made, {key: unit for key, unit in finished.items() if key not in made})
    _notes_of(path).unlink()
    earlier_seconds = sum(made[key].seconds or 0.0 for key in before)
    return MadeTable(pd.DataFrame(rows, columns=list(columns)), len(made) - len(before), earlier_seconds)


def units_so_far(path: pathlib.Path) -> tuple[Any, dict[str, Unit]] | None:
    """As `finished_units`, of a table that `make_table` has begun; None where nothing sound is noted."""
    try:
        with open(_notes_of(path), "rb") as stream:
            settings, *units = _sound_lines(stream)
    except (FileNotFoundError, ValueError):
        return None
    return settings.content, {unit.key: unit.unit for unit in units}


def _notes_of(path):
    return path.with_name(f"{path.stem}.partial.jsonl")


@contextlib.contextmanager
def _resumed(path: pathlib.Path, settings: Any) -> Iterator[tuple[dict[str, Unit], Callable[[str, Unit], Unit]]]:
    """Opens the notes of a table: units that an earlier attempt with these settings made, and how one is noted."""
    notes, start = _notes_of(path), _line("settings", settings)
    path.parent.mkdir(exist_ok=True)
    begun = _noted(notes, start)
    sound = begun[-1].end if begun else 0
    with open(notes, "r+b" if sound else "wb") as stream:

        def write(line):
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

        def note(key, unit):
            # Through JSON in any case, so that a table does not show where it was interrupted.
            write(line := _line(key, *unit))
            return unit._replace(rows=_content(line)[1])

        # What follows the last sound line was cut short.
        stream.truncate(sound)
        stream.seek(sound)
        if not sound:
            write(start)
        yield {line.key: line.unit for line in begun[1:]}, note


def _noted(notes: pathlib.Path, start: bytes) -> list[_Line]:
    """The sound lines of a file that begins with the line of the same settings, that line first; else nothing."""
    with contextlib.suppress(FileNotFoundError), open(notes, "rb") as stream:
        if stream.readline() == start:
            stream.seek(0)
            return list(_sound_lines(stream))
    return []


def _sound_lines(stream: BinaryIO) -> Iterator[_Line]:
    """The lines up to the first that was cut short or has changed."""
    end = 0
    for line in stream:
        try:
            key, content, *more = _content(line)
        except ValueError:
            return
        end += len(line)
        yield _Line(key, content, tuple(more), end)


def _line(key, content, *more):
    # NumPy's numbers become Python's.
    body = json.dumps([key, content, *more], default=lambda number: number.item())
    return f"{checksum(body.encode())} {body}\n".encode()


def _content(line: bytes) -> list:
    """Key, content and seconds of a line; raises ValueError for one that was cut short or has changed."""
    check, _, body = line.partition(b" ")
    if not body.endswith(b"\n") or check != checksum(body[:-1]).encode():
        raise ValueError("a line that was cut short or has changed")
    return json.loads(body)
