"""Tables that are made unit by unit, and survive that their making is interrupted."""

import contextlib
import json
import os
import pathlib
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import pandas as pd

from memorize_jax.storage.files import checksum
from memorize_jax.storage.tables import write_table


class MadeTable(NamedTuple):
    """A table, and the seconds that those of its units took which an earlier attempt had finished."""

    table: pd.DataFrame
    earlier_seconds: float


class _Line(NamedTuple):
    """A sound line of the notes: its key and content, the seconds it took, and the bytes of the file up to its end."""

    key: str
    content: Any
    seconds: float
    end: int


def make_table(
    path: pathlib.Path,
    columns: Sequence[str],
    units: Iterable[Hashable],
    make_rows: Callable[[Hashable], list[dict] | None],
    *,
    settings: Mapping,
    otherwise: Callable[[Hashable], list[dict]] = lambda unit: [],
    will_grow: bool = False,
) -> MadeTable:
    """Makes a table of many units of work; a unit that was finished before an interruption is not made again.

    Finished units are noted, line by line, in a file beside the table, which goes when the table is there. The table
    is the same, byte for byte, however often its making was interrupted.

    Args:
      units: keys of the units, in the order of the table; numbers, strings or tuples of them.
      make_rows: key -> rows; None for a unit that cannot be made now.
      settings: everything else the rows depend on, as JSON; rows made with other settings are not used.
      otherwise: key -> the rows that stand for a unit that cannot be made; a later attempt makes it.
      will_grow: the notes stay, for a later call with more units.

    Raises ValueError for rows without the columns, or no rows at all.
    """
    notes, rows = _notes_of(path), []
    path.parent.mkdir(exist_ok=True)
    start = _line("settings", json.loads(json.dumps(settings, sort_keys=True)))
    noted = _noted(notes, start)
    made, sound = {line.key: line.content for line in noted}, noted[-1].end if noted else 0
    earlier = {line.key: line.seconds for line in noted}
    earlier_seconds = 0.0
    with open(notes, "r+b" if sound else "wb") as stream:

        def note(line):
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

        # What follows the last sound line was cut short.
        stream.truncate(sound)
        stream.seek(sound)
        if not sound:
            note(start)
        for unit in units:
            key, started = json.dumps(unit), time.perf_counter()
            if key in made:
                earlier_seconds += earlier[key]
            else:
                if (found := make_rows(unit)) is None:
                    rows += otherwise(unit)
                    continue
                # Through JSON in any case, so that a table does not show where it was interrupted.
                note(line := _line(key, found, round(time.perf_counter() - started, 3)))
                made[key] = _content(line)[1]
            rows += made[key]
    if not rows:
        raise ValueError(f"nothing could be measured for {path}")
    write_table(path, rows, columns)
    if not will_grow:
        notes.unlink()
    return MadeTable(pd.DataFrame(rows, columns=list(columns)), earlier_seconds)


def made_so_far(path: pathlib.Path) -> tuple[dict, dict[str, list[dict]]] | None:
    """What is noted beside a table that `make_table` has begun: its settings, and the rows of the units made so far.

    Units are under their keys as JSON. None where nothing sound is noted.
    """
    try:
        with open(_notes_of(path), "rb") as stream:
            settings, *units = _sound_lines(stream)
    except (FileNotFoundError, ValueError):
        return None
    return settings.content, {unit.key: unit.content for unit in units}


def _notes_of(path):
    return path.with_name(f"{path.stem}.partial.jsonl")


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
            # Notes of before units had their seconds have none.
            key, content, *seconds = _content(line)
        except ValueError:
            return
        end += len(line)
        yield _Line(key, content, sum(seconds), end)


def _line(key, content, *seconds):
    # NumPy's numbers become Python's.
    body = json.dumps([key, content, *seconds], default=lambda number: number.item())
    return f"{checksum(body.encode())} {body}\n".encode()


def _content(line: bytes) -> list:
    """Key, content and seconds of a line; raises ValueError for one that was cut short or has changed."""
    check, _, body = line.partition(b" ")
    if not body.endswith(b"\n") or check != checksum(body[:-1]).encode():
        raise ValueError("a line that was cut short or has changed")
    return json.loads(body)
