"""Rows that another measurement of a run has made already, for one that would measure the same again."""

import json
from collections.abc import Hashable, Iterable, Mapping

from memorize_jax.runs.run import Run
from memorize_jax.storage.unit_notes import finished_units, unit_key, units_so_far


def earlier_rows(
    run: Run, measurement: str, settings: Mapping, unit: Hashable, epochs: Iterable[int]
) -> list[dict] | None:
    """Looks for the rows of a unit in the table of a measurement, or beside a table that is still being made.

    They are what would be measured now, to the last bit: made of the same networks with the same settings, by the same
    versions on the same kind of device, and not changed since.

    Args:
      run: the opened run.
      measurement: its name, which is that of its table too.
      settings: those that must be the same, of all that the rows were made with.
      unit: key of the unit.
      epochs: whose networks it reads.

    Returns:
      The rows in their order; None where there are none, or none to be trusted.
    """
    path = run.folder.results / f"{measurement}.csv"
    # Rows of an epoch stay what they are when training goes on.
    networks = [["", epoch, run.network_checksum(epoch)] for epoch in epochs]
    same = {name: value for name, value in run.identity().items() if name != "epochs"} | {"measurement": measurement}
    for made in (units_so_far(path), finished_units(path)):
        if made is None:
            continue
        asked, units = made
        found = units.get(unit_key(unit))
        if found and found.made_of == networks and _agrees(asked, same) and _agrees(asked["settings"], settings):
            return found.rows
    return None


def _agrees(noted: Mapping, expected: Mapping) -> bool:
    """Whether it says all that is expected, as JSON tells it."""
    return all(name in noted and noted[name] == value for name, value in json.loads(json.dumps(expected)).items())
