"""Rows that another measurement of a run has made already, for one that would measure the same again."""

import json
import pathlib
from collections.abc import Mapping

from memorize_jax.runs.notes import file_checksum, read_notes
from memorize_jax.runs.run import Run
from memorize_jax.storage.tables import exact_rows
from memorize_jax.storage.unit_tables import made_so_far


def earlier_rows(run: Run, measurement: str, settings: Mapping, unit: Mapping) -> list[dict] | None:
    """Looks for the rows of a unit in the table of a measurement, or beside a table that is still being made.

    They are what would be measured now, to the last bit: made of the same networks with the same settings, by the same
    versions on the same kind of device, and not changed since. A table that may have rows of damaged networks is left
    alone.

    Args:
      run: the opened run.
      measurement: its name, which is that of its table too.
      settings: those that must be the same, of all that the rows were made with.
      unit: columns that choose the rows -> their values, in the order of the unit's key.

    Returns:
      The rows in their order; None where there are none, or none to be trusted.
    """
    path = run.folder.results / f"{measurement}.csv"
    rows = _while_made(run, path, settings, unit)
    return _once_made(run, path, settings, unit) if rows is None else rows


def _while_made(run: Run, path: pathlib.Path, settings: Mapping, unit: Mapping) -> list[dict] | None:
    if (noted := made_so_far(path)) is None:
        return None
    asked, made = noted
    same = {name: value for name, value in run.identity().items() if name != "epochs"}
    is_same = _agrees(asked, {"measurement": path.stem, **same}) and _agrees(asked["settings"], settings)
    return made.get(json.dumps(list(unit.values()))) if is_same else None


def _once_made(run: Run, path: pathlib.Path, settings: Mapping, unit: Mapping) -> list[dict] | None:
    note = read_notes(run.folder, strict=False).get(path.stem)
    if note is None or note["settings"].get("skip_damaged") or not _agrees(note["settings"], settings):
        return None
    same = {name: value for name, value in run.identity().items() if name in ("identity", "provenance")}
    same["made_of"] = file_checksum(run.folder.metrics)
    if not _agrees(note, same) or note["tables"].get(path.stem) != file_checksum(path):
        return None
    return [row for row in exact_rows(path) if _agrees(row, unit)] or None


def _agrees(noted: Mapping, expected: Mapping) -> bool:
    """Whether it says all that is expected, as JSON tells it."""
    return all(name in noted and noted[name] == value for name, value in json.loads(json.dumps(expected)).items())
