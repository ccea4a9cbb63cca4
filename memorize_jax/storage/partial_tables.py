"""Tables that are made unit by unit, and go on where they were interrupted."""

import contextlib
import json
import os
import pathlib
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import pandas as pd

from memorize_jax.storage.tables import write_table


def make_table(
    path: pathlib.Path,
    columns: Sequence[str],
    units: Iterable[Hashable],
    make_rows: Callable[[Hashable], list[dict] | None],
    *,
    settings: Mapping,
    otherwise: Callable[[Hashable], list[dict]] = lambda unit: [],
) -> pd.DataFrame:
    """Makes a table of many units of work; a unit that was finished before an interruption is not made again.

    Finished units are noted, line by line, in a file beside the table, which goes when the table is there. The table
    is the same, byte for byte, however often its making was interrupted.

    Args:
      path: of the table.
      columns: of the table.
      units: keys of the units, in the order of the table; numbers, strings or tuples of them.
      make_rows: key -> rows; None for a unit that cannot be made now.
      settings: everything else the rows depend on, as JSON; rows made with other settings are not used.
      otherwise: key -> the rows that stand for a unit that cannot be made; they are not noted, so that a later
        attempt makes them.

    Returns:
      The table, as it was written.

    Raises:
      ValueError: rows without the columns, or no rows at all.
    """
    units = list(units)
    notes = path.with_name(f"{path.stem}.partial.jsonl")
    path.parent.mkdir(exist_ok=True)
    start = _line(["settings", json.loads(json.dumps(settings, sort_keys=True))])
    made, sound = _read_notes(notes, start)
    # What follows the last sound line was cut short.
    with open(notes, "r+b" if sound else "wb") as stream:
        stream.truncate(sound)
        stream.seek(0, os.SEEK_END)
        if not sound:
            _append(stream, start)
        rows = []
        for unit in units:
            key = json.dumps(unit)
            if key not in made:
                found = make_rows(unit)
                if found is None:
                    rows += otherwise(unit)
                    continue
                # Through JSON in any case, so that a table does not show where it was interrupted.
                line = _line([key, found])
                _append(stream, line)
                made[key] = _parse(line)[1]
            rows += made[key]
    if not rows:
        raise ValueError(f"nothing could be measured for {path}")
    write_table(path, rows, columns)
    notes.unlink()
    return pd.DataFrame(rows, columns=list(columns))


def _line(content):
    # NumPy's numbers become Python's.
    body = json.dumps(content, default=lambda number: number.item())
    return f"{zlib.crc32(body.encode()):08x} {body}\n".encode()


def _parse(line):
    check, _, body = line.rstrip(b"\n").partition(b" ")
    if check != f"{zlib.crc32(body):08x}".encode():
        raise ValueError("a line that was cut short or has changed")
    return json.loads(body)


def _read_notes(notes, start):
    """The units noted under the same settings, and how many bytes of the file are sound."""
    made, sound = {}, 0
    with contextlib.suppress(FileNotFoundError, ValueError), open(notes, "rb") as stream:
        if stream.readline() != start:
            return {}, 0
        sound = len(start)
        for line in stream:
            if not line.endswith(b"\n"):
                break
            key, rows = _parse(line)
            made[key] = rows
            sound += len(line)
    return made, sound


def _append(stream, line):
    stream.write(line)
    stream.flush()
    os.fsync(stream.fileno())
