"""results/units.json: which rows of a finished table are of which unit of work, so that it can grow or shrink."""

import itertools
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from memorize_jax.storage.files import checksum, read_json, write_json
from memorize_jax.storage.tables import exact_rows


class Unit(NamedTuple):
    """A unit of work that is finished.

    Attributes:
      rows: those that it made.
      seconds: that it took; None if the rows only stand for a unit that could not be made.
      made_of: what it was made of, as JSON, e.g. checksums of networks; None if that is not known.
    """

    rows: list[dict]
    seconds: float | None
    made_of: Any = None


def note_units(path: pathlib.Path, settings: Any, units: Mapping[str, Unit], others: Mapping[str, Unit]) -> None:
    """Notes of which units a table is that was just written, and what their rows depend on.

    Args:
      path: of the table.
      settings: everything the rows depend on, as JSON.
      units: key as JSON -> unit, in the order of the table.
      others: those that the table does not show, but an earlier one did; they are kept for a later one.
    """
    text = {name for unit in units.values() for row in unit.rows for name, cell in row.items() if isinstance(cell, str)}
    note = {
        "table": checksum(path.read_bytes()),
        "settings": settings,
        "text": sorted(text),
        "num_rows": {key: len(unit.rows) for key, unit in units.items()},
        "seconds": {key: unit.seconds for key, unit in units.items()},
        "made_of": {key: unit.made_of for key, unit in units.items()},
        "others": {key: list(unit) for key, unit in others.items()},
    }
    write_json(_file_of(path), {**_notes(path), path.stem: note})


def finished_units(path: pathlib.Path) -> tuple[Any, dict[str, Unit]] | None:
    """What the rows of a table depend on, and its units by their keys as JSON, without those that have stand-ins.

    Units that only an earlier table showed are among them. None where there is no such table, nothing is noted (or by a
    version that noted less), or either is not as it was written.
    """
    note = _notes(path).get(path.stem)
    if note is None or "others" not in note or not path.is_file() or checksum(path.read_bytes()) != note["table"]:
        return None
    try:
        rows = iter(exact_rows(path, note["text"]))
    except ValueError:
        return None
    take = lambda number: list(itertools.islice(rows, number))
    about = lambda key: (note["seconds"][key], note["made_of"][key])
    units = {key: Unit(take(number), *about(key)) for key, number in note["num_rows"].items()}
    others = {key: Unit(*unit) for key, unit in note["others"].items()}
    return note["settings"], {**others, **{key: unit for key, unit in units.items() if unit.seconds is not None}}


def unit_key(unit: Any) -> str:
    """The key of a unit as JSON."""
    return json.dumps(unit)


def _file_of(path):
    return path.with_name("units.json")


def _notes(path) -> dict:
    try:
        notes, has_checksum = read_json(_file_of(path))
    except (FileNotFoundError, ValueError):
        return {}
    # It was never written without; what somebody else wrote is not believed.
    return notes if has_checksum else {}
