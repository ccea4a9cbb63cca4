"""Notes of finished units of work, a line for each: beside a table in the making, and beside a finished one.

Every line has a checksum. The first says what all rows depend on; the last line of the notes of a finished table is the
checksum of the table.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from memorize_jax.storage.files import checksum, sync

# Keys of lines that are of no unit; the key of a unit is JSON, which has no such word.
SETTINGS, TABLE = "settings", "table"


class Unit(NamedTuple):
    """A unit of work that is finished.

    Attributes:
      rows: those that it made, as they come out of JSON, so that a table does not show where it was interrupted.
      seconds: that it took; None if the rows only stand for a unit that could not be made.
      made_of: what it was made of, as JSON, e.g. checksums of networks; None if that is not known.
    """

    rows: list[dict]
    seconds: float | None
    made_of: Any = None


class _Line(NamedTuple):
    """A sound line: its key, what follows, and the bytes of the file up to its end."""

    key: str
    content: list
    end: int


def unit_key(unit: Any) -> str:
    """The key of a unit as JSON."""
    return json.dumps(unit)


def units_so_far(path: pathlib.Path) -> tuple[Any, dict[str, Unit]] | None:
    """What the rows of a table in the making depend on, and its units by key; None where nothing sound is noted."""
    found = _read(_partial(path))
    return found and found[:2]


def finished_units(path: pathlib.Path) -> tuple[Any, dict[str, Unit]] | None:
    """As `units_so_far`, of a finished table, with units that only an earlier table showed.

    None also where the table is gone, or not as it was written.
    """
    found = _read(_finished(path))
    if found is None or not path.is_file() or found[2] != checksum(path.read_bytes()):
        return None
    return found[:2]


def finish(path: pathlib.Path) -> None:
    """Makes the notes of a table in the making those of the finished one, which was just written."""
    with open(_partial(path), "ab") as stream:
        stream.write(_written(TABLE, checksum(path.read_bytes())))
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(_partial(path), _finished(path))
    sync(path.parent)


@contextlib.contextmanager
def resumed(path: pathlib.Path, settings: Any) -> Iterator[tuple[dict[str, Unit], Callable[[str, Unit], Unit]]]:
    """Opens the notes of a table in the making.

    Yields the units that an earlier attempt with these settings made, by key, and a function that notes one, on disk
    when it returns, and gives it as it will be read.
    """
    notes, start = _partial(path), _written(SETTINGS, settings)
    path.parent.mkdir(exist_ok=True)
    begun = _begun(notes, start)
    sound = begun[-1].end if begun else 0
    with open(notes, "r+b" if sound else "wb") as stream:

        def write(line):
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

        def note(key, unit):
            write(line := _written(key, *unit))
            return Unit(*_content(line)[1:])

        # What follows the last sound line was cut short.
        stream.truncate(sound)
        stream.seek(sound)
        if not sound:
            write(start)
        yield _units(begun), note


def _partial(path):
    return path.with_name(f"{path.stem}.partial.jsonl")


def _finished(path):
    return path.with_name(f"{path.stem}.units.jsonl")


def _read(notes):
    """Settings, units, and the checksum in the last line of a file; None where it is not there or says nothing."""
    try:
        with open(notes, "rb") as stream:
            first, *others = _sound_lines(stream)
    except (FileNotFoundError, ValueError):
        return None
    last = others[-1] if others else first
    return (first.content[0], _units(others), last.content[0] if last.key == TABLE else None)


def _begun(notes, start) -> list[_Line]:
    """The sound lines of a file that begins with the line of the same settings, that line first; else nothing."""
    with contextlib.suppress(FileNotFoundError), open(notes, "rb") as stream:
        if stream.readline() == start:
            stream.seek(0)
            return list(_sound_lines(stream))
    return []


def _units(lines) -> dict[str, Unit]:
    return {line.key: Unit(*line.content) for line in lines if line.key not in (SETTINGS, TABLE)}


def _sound_lines(stream: BinaryIO) -> Iterator[_Line]:
    """The lines up to the first that was cut short, has changed, or says something else than is noted here."""
    end = 0
    for line in stream:
        try:
            key, *content = _content(line)
        except (ValueError, TypeError, RecursionError):
            return
        if (end == 0) != (key == SETTINGS) or not _is_sound(key, content):
            return
        end += len(line)
        yield _Line(key, content, end)


def _is_sound(key, content) -> bool:
    if key in (SETTINGS, TABLE):
        return len(content) == 1
    if not isinstance(key, str) or len(content) != len(Unit._fields):
        return False
    rows, seconds, _ = content
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows) and isinstance(seconds, int | float)


def _written(key, *content) -> bytes:
    # NumPy's numbers become Python's.
    body = json.dumps([key, *content], default=lambda number: number.item())
    return f"{checksum(body.encode())} {body}\n".encode()


def _content(line: bytes) -> list:
    """Key and content of a line; raises ValueError for one that was cut short or has changed."""
    check, _, body = line.partition(b" ")
    if not body.endswith(b"\n") or check != checksum(body[:-1]).encode():
        raise ValueError("a line that was cut short or has changed")
    return json.loads(body)
